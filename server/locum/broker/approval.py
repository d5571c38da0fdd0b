"""Put a question to a person and bring the answer back: on the control channel, on the asker's own terminal, or both.

The first answer counts. No way to ask, no answer in time, a closed terminal: the answer is no.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from locum.broker.policy import DEFAULT_STANDING
from locum.broker.question import Question, boxed
from locum.errors import NotAllowed

ANSWER_WITHIN = 300
"""Seconds that a question stays open."""
TYPE_THROUGH = 0.5
"""Seconds during which typed input does not count: it was meant for what stood there before."""
MAX_OPEN = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided and by which way: `editor`, `terminal` or `nobody`."""

    allowed: bool
    by: str
    stands_for: int = 0
    """Seconds for which the yes holds for exactly this content; 0: this once."""


class Approvals:
    """The open questions. `send` and `cancel` reach the control channel when there is a holder."""

    def __init__(self) -> None:
        self.send: Callable[[Question], None] | None = None
        self.cancel: Callable[[str], None] | None = None
        self.takes_values = False
        """Whether one who holds the control channel can let a person type a value."""
        self._open: dict[str, asyncio.Future[Answer]] = {}
        self._askers: set[object] = set()

    @property
    def has_control(self) -> bool:
        """Say whether somebody holds the control channel."""
        return self.send is not None

    async def ask(self, question: Question, terminal: int | None, asker: object) -> Answer:
        """Ask and wait. `terminal` is of `peer.reopen_terminal`, and is closed here. An asker has one question at a time.

        Raises NotAllowed (`denied.nobody`) when there is nobody to ask, (`denied.busy`) when too much is asked already.
        """
        try:
            return await self._ask(question, terminal, asker)
        finally:
            if terminal is not None:
                os.close(terminal)

    async def _ask(self, question: Question, terminal: int | None, asker: object) -> Answer:
        if self.send is None and terminal is None:
            raise NotAllowed(
                "denied.nobody", "nobody can be asked: no terminal, and no editor is connected to the broker",
                "Run the task from a terminal of your own, or open the project in an editor with Locum.",
            )  # fmt: skip
        if len(self._open) >= MAX_OPEN or asker in self._askers:
            raise NotAllowed("denied.busy", "other questions are open already", "Answer them first.")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open[question.id] = future
        self._askers.add(asker)
        prompt = _TerminalPrompt(terminal, question, future) if terminal is not None else None
        try:
            if self.send is not None:
                self.send(question)
            if prompt is not None:
                prompt.show(also_in_editor=self.send is not None)
            return await asyncio.wait_for(future, question.expires_in)
        except TimeoutError:
            return Answer(False, "nobody")
        finally:
            del self._open[question.id]
            self._askers.discard(asker)
            if self.cancel is not None:
                self.cancel(question.id)
            if prompt is not None:
                prompt.close(future)

    def answer(self, question_id: str, allow: bool, stands_for: int = 0) -> None:
        """Take an answer from the control channel; one to a question that is closed already changes nothing."""
        future = self._open.get(question_id)
        if future is not None and not future.done():
            future.set_result(Answer(allow, "editor", max(0, stands_for) if allow else 0))

    def holder_left(self) -> None:
        """The control channel closed: nobody can answer there any more, so what is open is refused."""
        self.send = self.cancel = None
        self.takes_values = False
        for future in self._open.values():
            if not future.done():
                future.set_result(Answer(False, "nobody"))


class _TerminalPrompt:
    """One question on a terminal that belongs to somebody else's session: we write and read, nothing more."""

    def __init__(self, descriptor: int, question: Question, future: asyncio.Future[Answer]) -> None:
        self._descriptor = descriptor
        self._question = question
        self._future = future
        self._typed = b""
        self._loop = asyncio.get_running_loop()
        self._deaf_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._stands_for = 0
        self._prompt = ""

    def show(self, *, also_in_editor: bool) -> None:
        """Write the block and start to listen."""
        note = "  (or answer in your editor)" if also_in_editor else ""
        width = _width(self._descriptor)
        title = [
            f"┌ {line[2:]}" if not at else line
            for at, line in enumerate(boxed([f"Locum: {self._question.title}"], width))
        ]
        self._stands_for = min(self._question.may_stand_for, DEFAULT_STANDING)
        more = f"  (a: exactly this for {self._stands_for // 3600 or 1} h)" if self._stands_for else ""
        block = [*title, *boxed(self._question.lines, width)]
        self._prompt = f"Allow? [y/N]{more}{note} "
        if not self._write("\n".join(["", *block, f"└ {self._prompt}"])):
            if not also_in_editor:
                self._decide(allow=False)  # a question that could not be shown whole is not answered with yes
            return
        self._flush()
        self._deaf_until = time.monotonic() + TYPE_THROUGH
        self._timer = self._loop.call_later(TYPE_THROUGH, self._flush)
        self._loop.add_reader(self._descriptor, self._readable)

    def close(self, future: asyncio.Future[Answer]) -> None:
        """Stop listening; say so when the answer came from elsewhere."""
        self._loop.remove_reader(self._descriptor)
        if self._timer is not None:
            self._timer.cancel()
        answer = future.result() if future.done() and not future.cancelled() else Answer(False, "nobody")
        if answer.by != "terminal":
            said = "allowed in the editor" if answer.allowed else "refused"
            self._write(f"\n  {said}\n")

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, 1024)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._decide(allow=False)
            return
        if time.monotonic() < self._deaf_until:
            self._flush()
            self._write(f"  (typed too soon, not counted) {self._prompt}")
            return
        self._typed += data
        if b"\n" in self._typed or len(self._typed) > 16:
            word = self._typed.partition(b"\n")[0].strip().lower()
            always = self._stands_for > 0 and word in {b"a", b"always"}
            self._decide(allow=always or word in {b"y", b"yes"}, stands_for=self._stands_for if always else 0)

    def _decide(self, *, allow: bool, stands_for: int = 0) -> None:
        if not self._future.done():
            self._future.set_result(Answer(allow, "terminal", stands_for))

    def _flush(self) -> None:
        """Forget what was typed so far, half a line too."""
        import termios  # POSIX only, as terminals that somebody hands over are

        with contextlib.suppress(termios.error, OSError):
            termios.tcflush(self._descriptor, termios.TCIFLUSH)

    def _write(self, text: str) -> bool:
        """Write without waiting; say whether all of it was taken (a terminal may be stopped with Ctrl-S)."""
        data = text.encode()
        try:
            return os.write(self._descriptor, data) == len(data)
        except OSError:
            return False


def _width(terminal: int) -> int:
    """Return the columns to write in: the terminal's own, between 40 and 100."""
    try:
        columns = os.get_terminal_size(terminal).columns
    except OSError:
        columns = 0
    return min(100, max(40, columns)) if columns else 80
