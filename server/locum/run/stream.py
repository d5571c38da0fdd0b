"""One stream on its way from the task to the reader, through its mask.

Knows descriptors; knows nothing of processes. Never blocks in a read, and writes only what the reader can take, so
that a reader who stopped reading cannot keep the launcher from noticing that a lease ended.
"""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locum.run.masker import Masker

REST = 0.1
"""Seconds of silence after which held bytes may be shown."""
ENOUGH = 1 << 16
"""Bytes waiting for the reader; with more, no more is taken from the task."""
_READ = 1 << 13  # what the mask sees at once: its slow path searches all of it
_BATCH = 12  # reads for one look at everything else
_SHORT = 1024  # a read below this has most likely taken all there was
_ATOMIC = 4096  # what a pipe that is ready takes without blocking: PIPE_BUF
_CLOSED = (errno.EIO, errno.EPIPE, errno.EBADF, errno.ECONNRESET, errno.ENXIO)


class MaskFailed(Exception):
    """The mask raised. Nothing more of the stream may be written."""


class Open:
    """The mask of a task without secrets: everything passes."""

    holding = False

    def feed(self, chunk: bytes) -> bytes:
        """Return what the task wrote."""
        return chunk

    def idle(self) -> bytes:
        """Return nothing: nothing is held."""
        return b""

    flush = idle


class Stream:
    """Reads `source`, masks, writes `sink`. Owns `source` only."""

    def __init__(self, source: int, sink: int, masker: Masker | Open) -> None:
        os.set_blocking(source, False)
        self.source = source
        self.sink = sink
        self.open = True
        """Whether the task may still write."""
        self.waiting = bytearray()
        """Masked bytes that the reader has not taken."""
        self.rests_at: float | None = None
        """When to call `rest`, on the monotonic clock."""
        self._closed = False
        self._masker = masker
        self._may_block = os.get_blocking(sink)

    def wants_to_read(self) -> bool:
        """Say whether `source` is worth asking: it is open and the reader keeps up."""
        return self.open and len(self.waiting) < ENOUGH

    def read(self) -> bool:
        """Take what the task wrote. Return whether there was something. Raises `MaskFailed`."""
        for taken in range(_BATCH):
            try:
                chunk = os.read(self.source, _READ)
            except BlockingIOError:
                return taken > 0
            except OSError as problem:
                if problem.errno not in _CLOSED:
                    raise
                chunk = b""  # Linux says EIO when nobody holds the terminal any more
            if not chunk:
                self.finish()
                return taken > 0
            self._take(chunk)
            if len(chunk) < _SHORT:
                break
        return True

    def rest(self) -> None:
        """Show held bytes that may be shown, after a silence."""
        self.rests_at = None
        try:
            self.waiting += self._masker.idle()
        except Exception:  # noqa: BLE001 - what the mask did not pass is not shown
            raise MaskFailed from None

    def write(self) -> None:
        """Give the reader what it can take; call it when `sink` is ready."""
        try:
            written = os.write(self.sink, self.waiting[:_ATOMIC] if self._may_block else self.waiting)
        except BlockingIOError:
            return
        except OSError as problem:
            if problem.errno not in _CLOSED:
                raise
            self.abandon()  # nobody reads any more: let the task see that, as it would without us
            return
        del self.waiting[:written]

    def finish(self) -> None:
        """Take no more from the task, and let out what was held. What waits is still to be written.

        `source` stays open until `abandon`: a program that has closed its terminal may still be about to exit, and closing
        our end would hang it up then, so that it ended by SIGHUP instead of with its own code.
        """
        if self.open:
            self.open = False
            self.rests_at = None
            try:
                self.waiting += self._masker.flush()
            except Exception:  # noqa: BLE001 - what the mask did not pass is not shown
                raise MaskFailed from None

    def abandon(self) -> None:
        """Take no more from the task, and write no more."""
        self.waiting.clear()
        self._close()

    def _take(self, chunk: bytes) -> None:
        try:
            self.waiting += self._masker.feed(chunk)
        except Exception:  # noqa: BLE001 - whatever it is: what was not masked is not written
            raise MaskFailed from None
        self.rests_at = time.monotonic() + REST if self._masker.holding else None

    def _close(self) -> None:
        self.open = False
        self.rests_at = None
        if not self._closed:
            self._closed = True
            os.close(self.source)
