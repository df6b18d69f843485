"""Run MiniStack until standard input ends; runs in MiniStack's own environment.

MiniStack writes its state when it is stopped. The process that started it holds the other end of
the pipe, so even a parent that was killed leaves no orphan and loses no data.
"""

import os
import runpy
import signal
import sys
import threading


def _stop_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    runpy.run_module("ministack", run_name="__main__")
