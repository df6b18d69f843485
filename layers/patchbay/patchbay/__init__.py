"""Patchbay: an integration control plane. Each package is one concept; see docs/architecture.md."""

import gc
import os

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # What a function's modules make, they keep: looking for garbage in it is a tenth of the cold
    # start. `patchbay.platform.lambda_entry` ends this with the function's last definition.
    gc.disable()
