"""Which lines belong together: a statement that a formatter wrote over several lines. Pure, by indentation alone.

A formatter keeps a comment beside its statement, but not beside the value: `f("…")  # marker` becomes four lines, and the
marker stands behind the closing bracket. Formatters indent what belongs to a statement, and put what closes it where it
began; that is all that is used here, so that it holds for every language. Looks at `MAX_LINES` lines at most.
"""

from __future__ import annotations

from locum.text.expression import lazy

MAX_LINES = 40
_FAR = 2000
"""Bytes; a longer line was written by no formatter."""
_MAX_STEPS = 20_000
"""From one line to the next, in one text: when they are used up, a marker speaks for its own line alone."""

_CLOSER = lazy(rb"[)\]}]|/>|>[ \t]*(?:$|<!--|[;,)])")
_GOES_ON = lazy(rb"\.\w|\?\.|&&|\|\|?|\?\?|[?:+] |and\b|or\b|==|!=")
"""What a line begins with that continues the one before."""
_OPEN_END = lazy(rb"(?:[ \t](?:[-=+*?|]|=>|&&|\|\||\?\?|or|and)|\\)$")
"""What a line ends with that goes on. After a space: a value may end with such a character too."""
_OPENER = lazy(rb"[(\[]$|(?:^|[=(,\[:?&|]|\b(?:return|default|const|let|var))[ \t]*\{$")
"""A bracket that opens a value."""
_BLOCK = lazy(rb"[{:]$")
"""Opens a block of code, which belongs to no single statement: unless it is one line, and may have stood behind its head."""
_KEY = lazy(rb":$")
_VALUE = lazy(rb"[\"'`{\[]")
_ELEMENT = lazy(rb"</?[A-Za-z]|/?>$")
_PARAGRAPH = lazy(rb"<[A-Za-z][^>]*>$")
_TAG = lazy(rb"<[A-Za-z][^>]*$")


class Lines:
    """The lines of one text, walked from one to its neighbours."""

    def __init__(self, data: bytes) -> None:
        """Take the text, in UTF-8. All places are byte offsets into it."""
        self._data = data
        self._steps = _MAX_STEPS

    def start(self, place: int, floor: int = 0) -> int:
        """Return where the line that holds `place` begins, looking back to `floor` at most."""
        end = max(self._data.rfind(b"\n", floor, place), floor - 1)
        return max(self._data.rfind(b"\r", end + 1, place), end) + 1

    def before(self, line: int, far: int = 1 << 30) -> int:
        """Return where the line before the one that begins at `line` begins, looking back `far` bytes at most."""
        last = line - (2 if self._data[max(0, line - 2) : line] == b"\r\n" else 1)
        return self.start(last, max(0, last - far))

    def end(self, place: int) -> int:
        """Return where the line that holds `place` ends, its line end left out."""
        data = self._data
        end = data.find(b"\n", place)
        end = len(data) if end < 0 else end
        lone = data.find(b"\r", place, end)
        return end if lone < 0 else lone

    def after(self, place: int) -> int:
        """Return where the line after the one that holds `place` begins, or the text's end."""
        end = self.end(place)
        return min(len(self._data), end + (2 if self._data.startswith(b"\r\n", end) else 1))

    def statement_end(self, line: int) -> int:
        """Return where the statement ends that begins on the line that begins at `line`: at the end of its last line."""
        here, indent = line, self._indent(line)
        tag = _TAG.search(self._text(line)) is not None
        for _ in range(MAX_LINES):
            text = self._text(here)
            below = self._below(here)
            if below < 0:
                break
            if tag:
                here, tag = below, b">" not in self._text(below)
            elif _OPENER.search(text):
                closing = self._closing(here)
                if closing < 0:
                    break
                here = closing
            elif self._indent(below) > indent and self._goes_on(text, self._text(below)):
                here = below
            elif _BLOCK.search(text) or _PARAGRAPH.match(text):
                return self.end(self._only_statement(here, below, markup=text.startswith(b"<")))
            else:
                break
        return self.end(here)

    def statement_start(self, line: int) -> int:
        """Return where the first line of the statement begins whose last line begins at `line`."""
        here = line
        for _ in range(MAX_LINES):
            text = self._text(here)
            above = self._above(here)
            if above < 0:
                break
            if _CLOSER.match(text):
                begin = self._outer(here, self._indent(here))
            elif _GOES_ON.match(text):
                begin = self._outer(here, self._indent(here) - 1)
            else:
                begin = above if _OPEN_END.search(self._text(above)) else here
            if begin == here:
                break
            here = begin
        return here

    def moved_from(self, line: int) -> int:
        """Return the first line of what a comment that now stands alone, on `line`, stood behind: formatters move it down.

        They do so behind a bracket that opens, and with a comment of HTML behind an element or its opening tag. `line`
        itself where it cannot be told.
        """
        above = self._above(line)
        text = self._text(above) if above >= 0 else b""
        if text.endswith((b"{", b"(", b"[")):
            return self.statement_start(above)
        if text.endswith(b">") and self._text(line).startswith(b"<!--") and _ELEMENT.match(text):
            return self._outer(above, self._indent(above)) if text.startswith(b"</") else self.statement_start(above)
        return line

    def _only_statement(self, head: int, body: int, *, markup: bool) -> int:
        """Return the last line of the block that `head` opens if it holds one statement, or text alone; else `head`."""
        indent, last = self._indent(body), body
        if indent <= self._indent(head):
            return head
        for _ in range(MAX_LINES):
            if markup and self._text(last).startswith(b"<"):
                return head
            after = self._below(last)
            if after < 0 or self._indent(after) <= self._indent(head):
                return last
            if not markup and self._indent(after) <= indent:
                return head
            last = after
        return head

    def _goes_on(self, text: bytes, below: bytes) -> bool:
        if _KEY.search(text):
            return _VALUE.match(below) is not None
        return _OPEN_END.search(text) is not None or _GOES_ON.match(below) is not None

    def _closing(self, line: int) -> int:
        """Return the line at which what `line` opens is closed, -1 when that is too far."""
        indent, here = self._indent(line), self._below(line)
        inside = self._indent(here)  # YAML's formatter indents the closing bracket too, but less than what is inside
        for _ in range(MAX_LINES):
            if here < 0:
                return -1
            closes = _CLOSER.match(self._text(here)) is not None
            if closes and self._indent(here) < max(inside, indent + 1):
                return here
            if self._indent(here) <= indent:
                return -1
            here = self._below(here)
        return -1

    def _outer(self, line: int, indent: int) -> int:
        """Return the nearest line above that is indented no more than `indent`; `line` itself when that is too far."""
        here = line
        for _ in range(MAX_LINES):
            here = self._above(here)
            if here < 0:
                return line
            if self._indent(here) <= indent:
                return here
        return line

    def _below(self, line: int) -> int:
        """Return the next line that is not blank, -1 at the end of the text and before a line too long."""
        here = line
        for _ in range(MAX_LINES):
            self._steps -= 1
            if self._steps < 0:
                return -1
            here = self.after(here)
            if here >= len(self._data) or self.end(here) - here > _FAR:
                return -1
            if self._text(here):
                return here
        return -1

    def _above(self, line: int) -> int:
        """Return the line before that is not blank, -1 at the beginning of the text and behind a line too long."""
        here = line
        for _ in range(MAX_LINES):
            self._steps -= 1
            if here <= 0 or self._steps < 0:
                return -1
            below, here = here, self.before(here, _FAR)
            if below - here > _FAR:
                return -1
            if self._text(here):
                return here
        return -1

    def _text(self, line: int) -> bytes:
        return self._data[line : min(self.end(line), line + _FAR)].strip()

    def _indent(self, line: int) -> int:
        text = self._data[line : line + 200]
        return len(text.expandtabs(8)) - len(text.expandtabs(8).lstrip(b" "))
