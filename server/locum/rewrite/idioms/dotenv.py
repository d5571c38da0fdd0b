"""`.env` and its kin: the value becomes `locum://NAME`; quotes, `export` and comments stay.

Nothing in a `.env` file can put a secret into a longer value in a way that all readers agree on, so the whole value is
stored, also when only a part of it (the password of a URL) is the secret.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit

_ENTRY = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<key>[A-Za-z_][\w.-]*)[ \t]*(?:=|:[ \t])[ \t]*")
_QUOTED = {
    '"': re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL),
    "'": re.compile(r"'[^']*'"),
    "`": re.compile(r"`[^`]*`"),
}
_PLAIN = re.compile(r"(?:[^\r\n#]|(?<=[^\s])#)*")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$"}
_EXPANSION = re.compile(r"\$[{(]|`")


@dataclass(frozen=True, slots=True)
class Entry:
    """`KEY=value`. Offsets are code points."""

    key: str
    start: int
    """Of the value, quotes excluded."""
    end: int
    quote: str
    stop: int
    """Where reading goes on."""


def entries(text: str) -> Iterator[Entry]:
    """Yield every assignment in order."""
    position = 0
    while position < len(text):
        entry = _entry_at(text, position)
        position = entry.stop if entry else _line_end(text, position)
        if entry:
            yield entry


def rewrite(target: Target) -> Plan:
    """Replace the value that holds the secret."""
    position = 0
    while position < len(target.text):
        entry = _entry_at(target.text, position)
        stop = entry.stop if entry else _line_end(target.text, position)
        if target.start < stop:
            return _rewrite_line(target, entry, position, stop)
        position = stop
    raise NoSafeEdit("there is no such place in this file")


def _rewrite_line(target: Target, entry: Entry | None, start: int, stop: int) -> Plan:
    if entry and entry.start <= target.start and target.end <= entry.end:
        return _rewrite_value(target, entry)
    before = target.text[entry.end if entry else start : target.start]
    if target.end <= stop and "#" in before:
        return target.as_prose("comment")
    raise NoSafeEdit("this line is no KEY=value")


def _rewrite_value(target: Target, entry: Entry) -> Plan:
    raw = target.text[entry.start : entry.end]
    value, note = _decode(raw, entry.quote)
    if not target.covers(entry.start, entry.end):
        note = f"The whole value of {entry.key} is stored, not only the secret in it. {note}"
    note += f"Start the program with '{_start(target)}', which puts the value in the place of {target.reference}."
    return target.plan((Edit(entry.start, entry.end, target.reference),), value, target.reference, note)


def _start(target: Target) -> str:
    """Return the command: what direnv loads is in the environment already; else `locum run` reads the file."""
    if PurePosixPath(target.path).name == ".envrc":
        return "locum run -- …"
    file = shlex.quote(target.path) if target.path and target.path.isprintable() else "FILE"
    return f"locum run --env-file {file} -- …"


def _decode(raw: str, quote: str) -> tuple[str, str]:
    """Return the value that a reader of the file gets, and a warning where readers differ."""
    if quote != "'" and _EXPANSION.search(raw):
        raise NoSafeEdit("the value is put together from other variables or commands")
    note = ""
    if "\\" in raw:
        note = "Readers of .env files differ about backslashes: check the stored value. "
    if quote == '"':
        raw = _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[0]), raw)
    return raw.replace("\r\n", "\n"), note


def _entry_at(text: str, position: int) -> Entry | None:
    head = _ENTRY.match(text, position)
    if head is None:
        return None
    start = head.end()
    quote = text[start : start + 1]
    if quote in _QUOTED and (body := _QUOTED[quote].match(text, start)):
        return Entry(head["key"], start + 1, body.end() - 1, quote, _line_end(text, body.end()))
    body = _PLAIN.match(text, start)
    end = start + len(body.group().rstrip()) if body else start
    return Entry(head["key"], start, end, "", _line_end(text, end))


def _line_end(text: str, position: int) -> int:
    match = _LINE.match(text, position)
    return match.end() if match else len(text)
