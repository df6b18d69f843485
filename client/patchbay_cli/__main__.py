"""python -m patchbay_cli"""

import sys

from patchbay_cli.program import main

if __name__ == "__main__":
    sys.exit(main())
