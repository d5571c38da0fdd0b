"""The two terminals of a task: the person's (outer) and the one made for the task (inner).

Knows termios and pseudo-terminals; knows nothing of masks and processes. The outer terminal is always given back as
it was found.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import termios
from typing import Any

_INPUT, _OUTPUT, _CONTROL, _LOCAL, _CHARACTERS = 0, 1, 2, 3, 6  # places in what tcgetattr returns


class OuterTerminal:
    """The terminal that the launcher was started on, through one of the launcher's descriptors."""

    def __init__(self, fd: int, *, keeps_output: bool) -> None:
        """`keeps_output`: leave the processing of output on, for a terminal that only shows what was piped to us."""
        self.fd = fd
        self.attributes: list[Any] = termios.tcgetattr(fd)
        self.taken = False
        self._keeps_output = keeps_output

    def take(self) -> None:
        """Make the terminal raw, so that each key reaches the inner one; not when we are in the background."""
        if self.taken or not self.in_foreground():
            return
        raw = termios.tcgetattr(self.fd)
        raw[_INPUT] &= ~(
            termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
            | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON
        )  # fmt: skip
        if not self._keeps_output:
            raw[_OUTPUT] &= ~termios.OPOST
        raw[_CONTROL] = raw[_CONTROL] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        raw[_LOCAL] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        raw[_CHARACTERS] = list(raw[_CHARACTERS])
        raw[_CHARACTERS][termios.VMIN], raw[_CHARACTERS][termios.VTIME] = 1, 0
        termios.tcsetattr(self.fd, termios.TCSADRAIN, raw)
        self.taken = True

    def give_back(self) -> None:
        """Put the terminal back as it was found."""
        if self.taken:
            self.taken = False
            with contextlib.suppress(termios.error):  # it may be gone
                termios.tcsetattr(self.fd, termios.TCSADRAIN, self.attributes)

    def in_foreground(self) -> bool:
        """Say whether the keyboard is ours; a background job that touches it would be stopped."""
        try:
            return os.tcgetpgrp(self.fd) == os.getpgrp()
        except OSError:
            return False

    def can_be_read(self) -> bool:
        """Say whether keys can be read from the descriptor."""
        return fcntl.fcntl(self.fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_WRONLY


class InnerTerminal:
    """The terminal made for the task. `master` is ours, `slave` the task's."""

    def __init__(self, outer: OuterTerminal, *, processes_output: bool) -> None:
        """Make one like the outer; `processes_output` is off when the outer does that itself."""
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        attributes = list(outer.attributes)
        if not processes_output:
            attributes[_OUTPUT] &= ~termios.OPOST
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)
        self.follow_size(outer)
        self._keys = bytearray()

    def follow_size(self, outer: OuterTerminal) -> None:
        """Take the size of the outer terminal; the kernel tells the task with SIGWINCH."""
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetwinsize(self.master, termios.tcgetwinsize(outer.fd))

    def wants_keys(self) -> bool:
        """Say whether the task reads single keys, as pagers, editors and password prompts do."""
        try:
            local = termios.tcgetattr(self.master)[_LOCAL]
        except termios.error:
            return False
        return not local & termios.ICANON or not local & termios.ECHO

    def type(self, keys: bytes) -> None:
        """Pass keys to the task; what it cannot take yet is kept."""
        self._keys += keys
        try:
            written = os.write(self.master, self._keys)
        except BlockingIOError:
            return
        except OSError:  # nobody holds it any more
            written = len(self._keys)
        del self._keys[:written]

    def has_keys(self) -> bool:
        """Say whether keys wait to be taken by the task."""
        return bool(self._keys)

    def foreground_group(self) -> int | None:
        """Return the process group that the keyboard of the inner terminal belongs to."""
        try:
            return os.tcgetpgrp(self.master) or None
        except OSError:
            return None
