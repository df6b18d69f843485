"""Where Lambda enters a function, and where its initialization ends."""

import gc
from collections.abc import Callable


def entry_point[H: Callable[..., object]](handler: H) -> H:
    """Marks what Lambda calls, which is the last that a function's module defines.

    From here on there is garbage to collect; objects that exist now are not searched for it again
    (https://docs.python.org/3.13/library/gc.html#gc.freeze).
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return handler
