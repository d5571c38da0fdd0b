"""What the broker does to itself before it touches a key: not dumpable, no core, no new privileges, closed umask.

It refuses to run where somebody else's code is in it already: preloaded, or in a package that everybody can write to.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import sys
from collections.abc import Collection
from pathlib import Path

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38  # include/uapi/linux/prctl.h
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # include/uapi/asm-generic/mman.h
_PRELOADS = ("LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES")


def harden(*, keep: Collection[int] = ()) -> None:
    """Close the process to others of the same user as far as the system allows, and all descriptors but `keep`.

    Exits when code was or could be injected into it.
    """
    if any(name in os.environ for name in _PRELOADS):
        sys.exit("locum broker: refused: a library was preloaded into this process")
    for folder in (str(Path(__file__).resolve().parents[1]), *sys.path):
        open_folder = writable_by_all(Path(folder))
        if open_folder is not None:
            sys.exit(f"locum broker: refused: everybody can write to {open_folder}, where its program lies")
    os.umask(0o077)
    if os.name != "posix":
        return
    if (os.getuid(), os.getgid()) != (os.geteuid(), os.getegid()):
        sys.exit("locum broker: refused: it runs with another user's or group's rights than the caller's")
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hide_memory()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _close_others(keep)
    _more_descriptors()


def hide_memory() -> None:
    """Let no other process of the same user read this one's memory or environment.

    Linux only, and undone by the next `execve`: a task that is started from here is as readable as any other.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def lock_memory() -> bool:
    """Keep this process out of swap; say whether that worked.

    Only where there is no limit on it: under one, the allocation that passes it would fail and end the process.
    """
    if sys.platform != "linux":
        return False
    import resource

    with contextlib.suppress(OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (most, most))
        if most == resource.RLIM_INFINITY or os.geteuid() == 0:
            return ctypes.CDLL(None).mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0
    return False


def runs_as_root() -> bool:
    """Say whether this is root's process, from which the system hides nothing and which hides from no other of root's."""
    return os.name == "posix" and os.geteuid() == 0


def writable_by_all(folder: Path) -> Path | None:
    """Return the first of `folder` and those above it in which everybody may replace what is there; None when none is.

    What is not there (the zip file on Python's path) cannot be imported from.
    """
    if os.name != "posix":
        return None  # rights are no mode bits there; installers put programs where only their owner writes
    for place in (folder, *folder.parents):
        try:
            mode = place.stat().st_mode
        except OSError:
            continue
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return place
    return None


def is_socket(descriptor: int) -> bool:
    """Say whether a descriptor that we were told of is an open socket."""
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def _close_others(keep: Collection[int]) -> None:
    """Close what was inherited beyond input, output, errors and `keep`; open those three where they are missing."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: the missing one
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    start = 3
    for number in [*sorted(number for number in keep if number >= start), most if most > 0 else 1 << 20]:
        os.closerange(start, number)
        start = number + 1


def _more_descriptors() -> None:
    """A connection takes two descriptors and may hand over one: have room for all connections at once."""
    import resource

    with contextlib.suppress(OSError, ValueError):
        now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 4096 if most == resource.RLIM_INFINITY else min(4096, most)
        if now != resource.RLIM_INFINITY and now < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
