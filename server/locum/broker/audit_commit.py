"""Group commit: what was written without waiting for the disk gets there a moment later, many records at once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from locum.errors import LocumError

WITHIN = 0.1
"""Seconds after a record is written, at most, that its commit begins."""


class Committer:
    """A thread that commits. It sleeps while there is nothing to do."""

    def __init__(self, commit: Callable[[], None], within: float = WITHIN) -> None:
        """Call `commit` within so many seconds of a `wake`. What it raises is its own to remember."""
        self._commit, self._within = commit, within
        self._wanted = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._work, name="audit commit", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something to commit."""
        self._wanted.set()

    def close(self) -> None:
        """End the thread; the last commit is the caller's."""
        self._ending = True
        self._wanted.set()

    def _work(self) -> None:
        while True:
            self._wanted.wait()
            if self._ending:
                return
            time.sleep(self._within / 2)  # let others come along; the commit itself has the other half
            self._wanted.clear()
            with contextlib.suppress(LocumError):  # the log knows, and writes nothing more
                self._commit()
