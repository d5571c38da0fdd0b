"""Run a task under a lease: start it, mask what it writes, pass signals, and end it when the lease ends.

Knows how the parts of this room work together; knows nothing of brokers and references: who watches the lease hands
in a `StopWatch`. Fails closed: an error here ends the task, and nothing is written that did not pass the mask.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType

from locum.run.channels import Channels
from locum.run.children import CAN_ADOPT, Task, adopt_orphans
from locum.run.jobs import Keepers, stop_like
from locum.run.program import NotStarted, find_program
from locum.run.spawn import spawn
from locum.run.stream import MaskFailed
from locum.secret import SecretBytes

PATIENCE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
QUIET = 0.1
"""After the program ended: so many seconds without output mean that what it wrote has been read."""
LOOK_FOR_KEYS = 0.2
"""Seconds after which a task in the background looks again whether it has the keyboard."""
AFTERMATH = 2.0
"""Seconds that processes which outlive the program may go on writing."""

_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
_NOTED = (signal.SIGCHLD, signal.SIGWINCH, signal.SIGCONT)


class StopWatch:
    """Something that may end the task: when `fd` is readable, `check` is asked; a string is the reason to stop."""

    __slots__ = ("check", "fd", "must_last", "next_at", "on_time")

    def __init__(
        self, fd: int, check: Callable[[], str | None], *, must_last: bool = True,
        on_time: Callable[[], float | None] | None = None, next_at: float | None = None,
    ) -> None:  # fmt: skip
        """`must_last`: when nothing can be watched any more, the task ends.

        At `next_at` (monotonic seconds) `on_time` is called, and says when next.
        """
        self.fd = fd
        self.check = check
        self.must_last = must_last
        self.on_time = on_time
        self.next_at = next_at


def launch(
    argv: Sequence[str],
    environment: Mapping[bytes, bytes],
    masks: Mapping[str, SecretBytes],
    *,
    spelt: Sequence[tuple[str, SecretBytes]] = (),
    in_child: Callable[[], None] | None = None,
    program: str = "",
    refused: Callable[[int], None] | None = None,
    stop: StopWatch | None = None,
    stdin: int | None = None,
    tells_left: bool = True,
) -> int:
    """Run `argv` to its end and return its exit code: 128+n for a signal, 127 not found, 126 not executable.

    `masks` maps what is written in place of a value (its reference) to the value, `spelt` lists more forms in which
    values stand in files of the task; both are wiped once the task runs. `in_child` is called in the new process before
    the program. `program`: the file to run, where it was found before; else `argv[0]` is looked up. `refused` is told
    the exit code when nothing was started. `stdin`: a descriptor that is the task's standard input instead of ours. When
    `stop` ends the task the code is 143, or 137 when SIGKILL was needed. Processes that the task leaves behind are ended
    too, and that is said unless not `tells_left`. Must be called in the main thread: it handles signals until it returns.
    """
    try:
        found = os.fsencode(program) or find_program(argv[0] if argv else "", environment.get(b"PATH"))
        adopt_orphans(True)
        with _signals() as wakeup, contextlib.closing(Channels()) as channels:
            placement = channels.placement if stdin is None else channels.placement._replace(stdin=stdin)
            keepers = Keepers() if CAN_ADOPT and channels.always_takes_keys else None
            try:
                pid = spawn(found, argv, environment, placement, in_child, keepers.start if keepers else None)
            except BaseException:
                if keepers:
                    keepers.end()
                raise
            if keepers:
                keepers.let_go()
            task = Task(pid, own_group=channels.placement.own_session)
            run = _Run(channels, task, wakeup, stop, keepers, tells_left=tells_left)
            return run.to_the_end(masks, spelt)
    except NotStarted as problem:
        _say(str(problem))
        if refused is not None:
            refused(problem.exit_code)
        return problem.exit_code
    finally:
        adopt_orphans(False)
        for value in (*masks.values(), *(value for _, value in spelt)):
            value.wipe()


class _Run:
    """One task from its start to its end: the loop that waits for whatever happens next."""

    def __init__(
        self, channels: Channels, task: Task, wakeup: int, stop: StopWatch | None, keepers: Keepers | None, *, tells_left: bool,
    ) -> None:  # fmt: skip
        self._channels = channels
        self._task = task
        self._wakeup = wakeup
        self._stop = stop
        self._keepers = keepers
        self._tells_left = tells_left
        self._reason: str | None = None
        """Why the task is being stopped."""
        self._kill_at: float | None = None
        self._killed = False
        self._over_at: float | None = None
        """When to stop waiting for output after the program ended; moved on while there is reason to wait."""
        self._aftermath_ends = 0.0
        self._has_keyboard = True
        self._hurried = False
        """Whether we were told to end: then a reader who does not read is not waited for."""

    def to_the_end(self, masks: Mapping[str, SecretBytes], spelt: Sequence[tuple[str, SecretBytes]]) -> int:
        """Serve the task until it is over; return the exit code."""
        try:
            self._mask(masks, spelt)
            self._channels.follow_keys()
            while not self._is_over():
                self._step()
        except BaseException:
            self._task.signal_all(signal.SIGKILL)
            raise
        finally:
            self._channels.close()
            if self._keepers:
                self._keepers.end()
            left = self._task.end_what_is_left(self._patience_left())
        self._task.reap()
        return self._conclude(left)

    def _mask(self, masks: Mapping[str, SecretBytes], spelt: Sequence[tuple[str, SecretBytes]]) -> None:
        if not masks and not spelt:
            self._channels.connect(None)
            return
        from locum.run.masker import Masker

        first = Masker(masks, spelt)
        self._channels.connect(first.companion)
        for value in (*masks.values(), *(value for _, value in spelt)):
            value.wipe()
        if first.unmaskable:
            _say(f"too short to be masked in the output: {', '.join(first.unmaskable)}", self._is_raw())

    def _step(self) -> None:
        """Wait for the next thing to happen, and deal with everything that did."""
        ready = self._wait()
        if self._wakeup in ready:
            self._on_signals(os.read(self._wakeup, 4096))
        if self._stop is not None and self._stop.fd in ready:
            self._on_watch(self._stop, ready[self._stop.fd])
        try:
            self._move_output(ready)
        except MaskFailed:
            for stream in self._channels.streams:
                stream.abandon()
            self._end("the mask over the output failed")
        self._move_keys(ready)
        now = time.monotonic()
        if self._stop is not None and self._stop.next_at is not None and now >= self._stop.next_at:
            self._stop.next_at = self._stop.on_time() if self._stop.on_time is not None else None
        if self._kill_at is not None and now >= self._kill_at and not self._killed:
            self._killed = self._task.status is None
            self._kill_at = None
            self._task.signal_all(signal.SIGKILL)

    def _wait(self) -> dict[int, int]:
        """Return what is ready, by descriptor; empty when a deadline came first."""
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        if self._stop is not None and self._reason is None:
            poll.register(self._stop.fd, select.POLLIN)
        for stream in self._channels.streams:
            # The inner terminal is read and written through one descriptor.
            wanted = select.POLLIN if stream.wants_to_read() else 0
            if stream is self._channels.screen and self._keys_wait():
                wanted |= select.POLLOUT
            if stream.open and wanted:
                poll.register(stream.source, wanted)
            if stream.waiting:
                poll.register(stream.sink, select.POLLOUT)
        if self._passes_keys():
            assert self._channels.outer is not None
            poll.register(self._channels.outer.fd, select.POLLIN)
        return dict(poll.poll(self._milliseconds()))

    def _milliseconds(self) -> int | None:
        deadlines = [stream.rests_at for stream in self._channels.streams] + [self._kill_at, self._over_at]
        if self._stop is not None:
            deadlines.append(self._stop.next_at)
        if self._channels.lacks_keys():  # a shell's `fg` says nothing to a job that runs
            deadlines.append(time.monotonic() + LOOK_FOR_KEYS)
        known = [deadline for deadline in deadlines if deadline is not None]
        return max(0, int((min(known) - time.monotonic()) * 1000) + 1) if known else None

    def _move_output(self, ready: dict[int, int]) -> None:
        now = time.monotonic()
        for stream in self._channels.streams:
            if stream.open and ready.get(stream.source, 0) & ~select.POLLOUT and stream.wants_to_read():
                got_some = stream.read()
                if got_some and self._over_at is not None:
                    self._over_at = min(now + QUIET, self._aftermath_ends)
            if stream.rests_at is not None and now >= stream.rests_at:
                stream.rest()
            if stream.waiting and stream.sink in ready:
                stream.write()
        if self._over_at is not None and not self._hurried and any(stream.waiting for stream in self._channels.streams):
            self._aftermath_ends = now + AFTERMATH  # the reader is slow: that is not the task's fault
            self._over_at = now + QUIET
        self._channels.follow_keys()

    def _move_keys(self, ready: dict[int, int]) -> None:
        channels = self._channels
        if channels.outer is None or channels.inner is None or channels.screen is None or not channels.screen.open:
            return
        if self._passes_keys() and channels.outer.fd in ready:
            self._has_keyboard = channels.pass_keys()
            if not self._has_keyboard:  # a raw terminal has no end of file: it was hung up
                self._forward(signal.SIGHUP)
        elif channels.inner.has_keys() and channels.screen.source in ready:
            channels.inner.type(b"")

    def _passes_keys(self) -> bool:
        channels = self._channels
        taken = channels.outer is not None and channels.outer.taken
        return taken and self._has_keyboard and not self._keys_wait() and self._task.status is None

    def _keys_wait(self) -> bool:
        return self._channels.inner is not None and self._channels.inner.has_keys()

    def _is_raw(self) -> bool:
        return self._channels.outer is not None and self._channels.outer.taken

    def _on_signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGWINCH:
                self._channels.follow_size()
            elif number == signal.SIGCONT:
                self._channels.follow_keys()
            elif number in _FORWARDED:
                self._forward(number)
        stopped_by = self._task.stopped_by() if self._keepers else None
        if stopped_by is not None and self._reason is None:
            self._stop_too(stopped_by)
        self._task.reap()
        if self._task.status is not None and self._over_at is None:
            self._aftermath_ends = time.monotonic() + AFTERMATH
            self._over_at = time.monotonic() + QUIET

    def _stop_too(self, number: int) -> None:
        """The task was stopped from its keyboard: give the terminal back, stop, and go on with the task when we are."""
        until = time.monotonic() + QUIET
        for stream in self._channels.streams:  # what it wrote last is to stand before the shell's prompt
            while stream.open and stream.wants_to_read() and time.monotonic() < until and stream.read():
                pass
            stream.rest()
            while stream.waiting and time.monotonic() < until:
                stream.write()
        assert self._channels.outer is not None
        self._channels.outer.give_back()
        stop_like(number)
        self._channels.follow_size()
        self._channels.follow_keys()
        self._task.signal(signal.SIGCONT)

    def _forward(self, number: int) -> None:
        self._hurried = self._hurried or number in (signal.SIGTERM, signal.SIGHUP)
        if self._channels.shares_group and number in (signal.SIGINT, signal.SIGQUIT):
            return  # the terminal has sent it to the whole group
        inner = self._channels.inner
        group = inner.foreground_group() if inner and number == signal.SIGINT and self._is_raw() else None
        if group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        else:
            self._task.signal(number)

    def _on_watch(self, watch: StopWatch, events: int) -> None:
        try:
            reason = watch.check()
        except Exception:  # noqa: BLE001 - a lease that cannot be watched is no lease
            reason = "the lease can no longer be watched"
        if reason is None and events & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
            if not watch.must_last:
                self._stop = None
                return
            reason = "the lease can no longer be watched"
        if reason is not None:
            self._end(reason)

    def _end(self, reason: str) -> None:
        if self._reason is None:
            self._reason = reason
            self._hurried = True
            self._kill_at = time.monotonic() + PATIENCE
            self._task.signal_all(signal.SIGTERM)

    def _is_over(self) -> bool:
        """Say whether the program ended and all that it wrote is with the reader."""
        if self._over_at is None:
            return False
        streams = self._channels.streams
        is_late = time.monotonic() >= (self._aftermath_ends if self._hurried else self._over_at)
        if not is_late and any(stream.open or stream.waiting for stream in streams):
            return False
        for stream in streams:
            stream.finish()
        return self._hurried or not any(stream.waiting for stream in streams)

    def _patience_left(self) -> float:
        return PATIENCE if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())

    def _conclude(self, left: int) -> int:
        """Say what there is to say, and return the exit code."""
        if self._reason is not None:
            _say(f"{self._reason}: task stopped")
            return 128 + (signal.SIGKILL if self._killed else signal.SIGTERM)
        if left and self._tells_left:
            _say(f"ended {left} process{'es' if left > 1 else ''} that the task left behind")
        status = self._task.status
        assert status is not None
        return status if status >= 0 else 128 - status


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """Turn signals into bytes to read from the descriptor given, and put everything back afterwards."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
    wakeup_before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        for number in (*_FORWARDED, *_NOTED):
            if number in _FORWARDED and signal.getsignal(number) is signal.SIG_IGN:
                continue  # `nohup` and the like: the task is to ignore it too
            before[number] = signal.signal(number, _note)
        yield reading
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup_before)
        os.close(reading)
        os.close(writing)


def _note(number: int, frame: FrameType | None) -> None:
    """Do nothing: that a handler is there puts the number on the wakeup descriptor."""


def _say(text: str, raw: bool = False) -> None:
    end = "\r\n" if raw else "\n"  # a raw terminal does not return the carriage by itself
    with contextlib.suppress(OSError):
        os.write(2, f"locum: {text}{end}".encode())
