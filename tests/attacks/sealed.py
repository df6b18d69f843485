"""Runs an attack in a process that ends at its first attempt to open a socket or a file.

Libraries in C and Rust don't ask Python's audit hooks, so on Linux the kernel watches (seccomp).
Elsewhere, the audit hooks see Python's own sockets and files.
"""

import ctypes
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module

_CALLS = {
    # open, socket, connect, execve, creat, openat, io_uring_setup, openat2
    "x86_64": (0xC000003E, (2, 41, 42, 59, 85, 257, 425, 437)),
    "aarch64": (0xC00000B7, (56, 198, 203, 221, 425, 437)),
}
"""By machine: its AUDIT_ARCH, and the numbers of the system calls (Linux, include/uapi)."""
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_OPENING = {"open", "os.open", "socket.__new__", "socket.connect", "socket.getaddrinfo"}


def run(prepare: Callable[[], Callable[[], object]]) -> None:
    """Runs what `prepare` returns, sealed; `prepare` itself may still import modules.

    `prepare` is a function of a module. Fails if the attack opens anything, or raises.
    """
    name = f"{prepare.__module__}:{prepare.__qualname__}"
    done = subprocess.run(
        [sys.executable, "-m", "tests.attacks.sealed", name],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode != -signal.SIGSYS, f"opened a socket or a file after: {done.stdout}"
    assert done.returncode == 0, done.stderr


def _seal() -> None:
    sys.addaudithook(_refuse)
    if sys.platform != "linux":
        return
    architecture, calls = _CALLS[platform.machine()]
    program = [(0x20, 0, 0, 4), (0x15, 1, 0, architecture), (0x06, 0, 0, _KILL), (0x20, 0, 0, 0)]
    # Each forbidden call jumps to the last instruction.
    program += [
        (0x15, left, 0, call) for left, call in zip(range(len(calls), 0, -1), calls, strict=True)
    ]
    program += [(0x06, 0, 0, _ALLOW), (0x06, 0, 0, _KILL)]
    instructions = (_Instruction * len(program))(*(_Instruction(*one) for one in program))
    libc = ctypes.CDLL(None, use_errno=True)
    sealing = ctypes.byref(_Program(len(program), instructions))
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SET_SECCOMP, _FILTER, sealing):
        raise OSError(ctypes.get_errno(), "the process can't be sealed")


def _refuse(event: str, _: object) -> None:
    if event in _OPENING:
        raise AssertionError(event)


class _Instruction(ctypes.Structure):
    """A `struct sock_filter`."""

    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    """A `struct sock_fprog`."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction)))


if __name__ == "__main__":
    module, _, attribute = sys.argv[1].partition(":")
    attack = getattr(import_module(module), attribute)()
    _seal()
    attack()
