"""What the broker does to itself before it touches a key: not dumpable, no core, no new privileges, closed umask."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38  # include/uapi/linux/prctl.h
_PRELOADS = ("LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES")


def harden() -> None:
    """Close the process to others of the same user as far as the system allows. Exits when code was injected into it."""
    if any(name in os.environ for name in _PRELOADS):
        sys.exit("locum broker: refused: a library was preloaded into this process")
    os.umask(0o077)
    if os.name != "posix":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hide_memory()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def hide_memory() -> None:
    """Let no other process of the same user read this one's memory or environment.

    Linux only, and undone by the next `execve`: a task that is started from here is as readable as any other.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
