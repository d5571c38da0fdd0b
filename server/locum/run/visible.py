"""Two readings of a terminal stream: the bytes as they are, and what is left to see.

Knows escape sequences and white space; knows nothing of secrets. Both readings leave out the bytes that a reader's
eye (or `tr -d`) joins across: white space, NUL, backspace, DEL. The visible reading leaves out whole escape sequences
too. Both are needed: `S<red>E<red>C…` shows a secret only in the second, a window title only in the first.
"""

from __future__ import annotations

import re
from itertools import compress

IGNORED = b"\r\n\t \x00\x08\x0b\x0c\x7f"
ESCAPE = b"\x1b"

_CSI = rb"\[[0-?]{0,64}[ -/]{0,8}"
_OSC = rb"\][^\x07\x1b]{0,256}"
# An unfinished or endless sequence counts as its two-byte introducer; the rest of it is text.
_SEQUENCE = re.compile(rb"\x1b(?:%s[@-~]|%s(?:\x07|\x1b\\)|[ -/]{1,4}[0-~]|[0-~])" % (_CSI, _OSC))
_UNFINISHED = re.compile(rb"\x1b(?:%s|%s\x1b?|[ -/]{0,4})?\Z" % (_CSI, _OSC))
_LONGEST = 2 + 256 + 1
_CONTROL_SEQUENCE = re.compile(rb"\x1b%s[@-~]" % _CSI)
_KEPT = bytes(byte not in IGNORED for byte in range(0x100))


def literal(text: bytes) -> bytes:
    """Return the bytes without white space and the other ignored bytes."""
    return text.translate(None, IGNORED)


def visible(text: bytes) -> bytes:
    """Return what is left to see: no escape sequences, no ignored bytes."""
    return (_SEQUENCE.sub(b"", text) if ESCAPE in text else text).translate(None, IGNORED)


def literal_offsets(text: bytes) -> list[int]:
    """Return where each byte of `literal(text)` stands in the text."""
    return list(compress(range(len(text)), text.translate(_KEPT)))


def visible_offsets(text: bytes) -> list[int]:
    """Return where each byte of `visible(text)` stands in the text."""
    return literal_offsets(_SEQUENCE.sub(lambda match: bytes(len(match[0])), text))


def unfinished_from(text: bytes) -> int:
    """Return where an escape sequence begins that the text cuts off, or the length of the text."""
    start = max(0, len(text) - _LONGEST)
    if text.find(ESCAPE, start) < 0:
        return len(text)
    match = _UNFINISHED.search(text, start)
    return match.start() if match else len(text)


def sequences(text: bytes) -> list[tuple[int, int]]:
    """Return start and end of each escape sequence in the text."""
    return [match.span() for match in _SEQUENCE.finditer(text)]


def control_sequences(text: bytes) -> bytes:
    """Return only the CSI sequences of the text: what moves the cursor and sets colours, but shows nothing."""
    return b"".join(_CONTROL_SEQUENCE.findall(text)) if ESCAPE in text else b""


def shows_nothing(text: bytes) -> bool:
    """Say whether the text is only ignored bytes and CSI sequences."""
    return not literal(_CONTROL_SEQUENCE.sub(b"", text) if ESCAPE in text else text)


def is_inside_title(text: bytes, sequence: tuple[int, int], start: int, end: int) -> bool:
    """Say whether start..end lies in the payload of an OSC sequence, where other text may stand as well."""
    first, last = sequence
    if text[first + 1 : first + 2] != b"]":
        return False
    terminator = 1 if text[last - 1 : last] == b"\x07" else 2
    return first + 2 <= start and end <= last - terminator
