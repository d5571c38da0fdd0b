"""What may wait for somebody that we do not trust, done where nobody waits for it: closing, and looking at a process.

Whoever sends a descriptor chooses what it is. Closing one may wait for its sender (a socket that lingers, a file of a
file system that the sender serves), and so may any question to it. A look at a process takes the lock of its memory,
which its own threads take, too. The broker waits for nobody.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import stat
import sys
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")

_AT_EMPTY_PATH, _AT_STATX_DONT_SYNC = 0x1000, 0x4000  # include/uapi/linux/fcntl.h
_STATX_TYPE = 1  # include/uapi/linux/stat.h
_STATX_SIZE, _STATX_MODE_AT = 256, 28
_MOST_CLOSERS = _MOST_LOOKERS = 8


class _Closable(Protocol):
    def close(self) -> None: ...


def kind(descriptor: int) -> int:
    """Return the file type bits (`stat.S_IFMT`), without asking the file system that the file is of; 0 when unknown."""
    if sys.platform != "linux":
        return stat.S_IFMT(os.fstat(descriptor).st_mode)
    answer = (ctypes.c_uint8 * _STATX_SIZE)()
    try:
        failed: int = ctypes.CDLL(None).statx(
            descriptor, b"", _AT_EMPTY_PATH | _AT_STATX_DONT_SYNC, _STATX_TYPE, ctypes.byref(answer)
        )
    except AttributeError:  # a C library without it (glibc before 2.28)
        return stat.S_IFMT(os.fstat(descriptor).st_mode)
    return (
        0 if failed else stat.S_IFMT(int.from_bytes(bytes(answer[_STATX_MODE_AT : _STATX_MODE_AT + 2]), sys.byteorder))
    )


class _Closer:
    """Threads that close what may take its time. One that hangs is replaced, up to a bound; beyond it things leak."""

    def __init__(self) -> None:
        self._todo: queue.SimpleQueue[int | _Closable] = queue.SimpleQueue()
        self._waiting = 0
        self._threads = 0
        self._lock = threading.Lock()

    def take(self, thing: int | _Closable) -> None:
        with self._lock:
            self._waiting += 1
            if self._threads < min(self._waiting, _MOST_CLOSERS):
                self._threads += 1
                threading.Thread(target=self._work, daemon=True, name="closer").start()
        self._todo.put(thing)

    def _work(self) -> None:
        while True:
            thing = self._todo.get()
            with contextlib.suppress(OSError):
                if isinstance(thing, int):
                    os.close(thing)
                else:
                    thing.close()
            with self._lock:
                self._waiting -= 1


_closer = _Closer()


def close_aside(thing: int | _Closable) -> None:
    """Close a descriptor, or a socket in which descriptors may still wait, without waiting for it."""
    _closer.take(thing)


_lookers = threading.BoundedSemaphore(_MOST_LOOKERS)


def in_time(look: Callable[[], T], within: float) -> T | None:
    """Return what `look` returns; None when that does not come within so many seconds. Raises what it raises."""
    if not _lookers.acquire(blocking=False):
        return None  # so many hang already
    answer: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answer.put((look(), None))
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            answer.put((None, error))
        finally:
            _lookers.release()

    threading.Thread(target=work, daemon=True, name="looker").start()
    try:
        found, error = answer.get(timeout=within)
    except queue.Empty:
        return None
    if error is not None:
        raise error
    return found
