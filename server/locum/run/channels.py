"""How a task is wired: which of its descriptors are a terminal, a pipe or the caller's own.

Knows descriptors 0, 1 and 2 of the launcher; knows nothing of processes. The rules, by what stands there:

* keyboard and screen: one inner terminal for all three, and the outer one passes every key on;
* a screen but no keyboard (`echo x | …`): stdin is inherited, output goes to an inner terminal, and keys are passed
  on only while the task asks for single keys (a pager does);
* a keyboard but no screen (`… | less`): pipes, stdin inherited, and the task stays in our process group: it is a
  member of a pipeline, Ctrl-C reaches it from the terminal;
* neither: pipes. Output and errors that go to one place share one pipe, so that their order stays.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

from locum.run.spawn import Placement
from locum.run.stream import Open, Stream
from locum.run.terminal import InnerTerminal, OuterTerminal

if TYPE_CHECKING:
    from locum.run.masker import Masker

_STDIN, _STDOUT, _STDERR = 0, 1, 2


class Channels:
    """The wiring of one task. Between making and `connect` the task is started with `placement`."""

    def __init__(self) -> None:
        """Look at our descriptors and make what the task is to get."""
        for fd in (_STDIN, _STDOUT, _STDERR):
            _be_open(fd)
        keyboard, screen = os.isatty(_STDIN), os.isatty(_STDOUT)
        self.streams: list[Stream] = []
        self.outer: OuterTerminal | None = None
        self.inner: InnerTerminal | None = None
        self.screen: Stream | None = None
        """The stream that comes from the inner terminal."""
        self.always_takes_keys = keyboard and screen
        self.shares_group = keyboard and not screen
        self._theirs: list[int] = []
        self._sources: list[tuple[int, int]] = []
        ends = self._output_ends()
        stdin = self.inner.slave if self.always_takes_keys and self.inner else _STDIN
        self.placement = Placement(
            stdin,
            *ends,
            own_session=not self.shares_group,
            terminal=self.inner.slave if self.inner and not self.shares_group else None,
        )

    def connect(self, make_masker: Callable[[], Masker] | None) -> None:
        """After the start: let go of the task's ends, and put a mask of its own before each stream; None: there is no secret."""
        self._let_go_of_their_ends()
        while self._sources:
            source, target = self._sources.pop()
            stream = Stream(source, _sink(target), make_masker() if make_masker is not None else Open())
            self.streams.append(stream)
            if self.inner and source == self.inner.master:
                self.screen = stream

    def follow_keys(self) -> None:
        """Take the keyboard when the task is to have it, give it back when not."""
        if self.outer is None or self.inner is None or self.screen is None or not self.screen.open:
            return
        if self.always_takes_keys or (self.placement.own_session and self._can_pass_keys() and self.inner.wants_keys()):
            self.outer.take()
        else:
            self.outer.give_back()

    def lacks_keys(self) -> bool:
        """Say whether the task is to have the keyboard, and has not: it is in the background."""
        return (
            self.always_takes_keys
            and self.outer is not None
            and not self.outer.taken
            and self.screen is not None
            and self.screen.open
        )

    def follow_size(self) -> None:
        """Pass the size of the outer terminal on."""
        if self.outer and self.inner and self.screen and self.screen.open:
            self.inner.follow_size(self.outer)

    def pass_keys(self) -> bool:
        """Read keys and type them for the task. Return whether the keyboard is still there."""
        assert self.outer is not None
        assert self.inner is not None
        try:
            keys = os.read(self.outer.fd, 4096)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        self.inner.type(keys)
        return bool(keys)

    def close(self) -> None:
        """Give the terminal back and close what is still open on our side. Safe to call twice."""
        if self.outer:
            self.outer.give_back()
        self._let_go_of_their_ends()
        for stream in self.streams:
            stream.abandon()
            if stream.sink > _STDERR:
                os.close(stream.sink)
        self.streams.clear()
        for source, _ in self._sources:
            os.close(source)
        self._sources.clear()

    def _output_ends(self) -> tuple[int, int]:
        """Make the inner terminal and the pipes; return what the task gets as its stdout and stderr."""
        terminals = [fd for fd in (_STDOUT, _STDERR) if os.isatty(fd)]
        if terminals:
            self.outer = OuterTerminal(
                _STDIN if self.always_takes_keys else terminals[0], keeps_output=not self.always_takes_keys
            )
            self.inner = InnerTerminal(self.outer, processes_output=self.always_takes_keys)
            self._sources.append((self.inner.master, terminals[0]))
            self._theirs.append(self.inner.slave)
        ends: dict[int, int] = {}
        for fd in (_STDOUT, _STDERR):
            if fd in terminals and self.inner:
                ends[fd] = self.inner.slave
            elif fd == _STDERR and _STDOUT not in terminals and os.path.sameopenfile(_STDOUT, _STDERR):
                ends[fd] = ends[_STDOUT]
            else:
                source, ends[fd] = os.pipe()
                self._sources.append((source, fd))
                self._theirs.append(ends[fd])
        return ends[_STDOUT], ends[_STDERR]

    def _let_go_of_their_ends(self) -> None:
        """Close our copies of the task's ends, so that the task's last close is the end of the stream."""
        while self._theirs:
            os.close(self._theirs.pop())

    def _can_pass_keys(self) -> bool:
        return self.outer is not None and self.outer.can_be_read()


def _be_open(fd: int) -> None:
    """Open /dev/null where the caller closed a standard descriptor, or a pipe of ours would land there."""
    try:
        os.fstat(fd)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != fd:
            os.dup2(opened, fd)
            os.close(opened)


def _sink(fd: int) -> int:
    """Return a descriptor to write to: one of our own that does not block where the system gives one.

    Not blocking is a property of what is open, and that we share with the caller; so it is opened anew.
    """
    with contextlib.suppress(OSError):  # in a container, or after `sudo`, the name may lead nowhere
        name = os.ttyname(fd) if os.isatty(fd) else f"/proc/self/fd/{fd}" if stat.S_ISFIFO(os.fstat(fd).st_mode) else ""
        if name:
            return os.open(name, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    return fd
