"""Where values and comments lie in files of `key = value` lines, in .netrc and in .pgpass. Offsets are code points.

No parser: sections and keys matter only as the names of values. What fits no row yields nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from locum.rewrite.idioms.place import Place

_QUOTED = {'"': r'"[^"\r\n]*"', "'": r"'[^'\r\n]*'"}
_ESCAPED = {'"': r'"(?:[^"\\\r\n]|\\.)*"', "'": r"'(?:[^'\\\r\n]|\\.)*'"}
_ALONE = {'"': _ESCAPED['"'] + r"(?=[ \t]*(?:\r|\n|\Z))"}
_NO_COMMENT = r"(?:[^ \t\r\n]|[ \t]+(?![ \t#;\r\n]|\Z))*"
"""Up to a space with `#` or `;` behind it."""
_BLANK = re.compile(r"[ \t\f]*")
_LINE = re.compile(r"[^\r\n]*")
_END = re.compile(r"\r\n|\n|\r")
_BREAK = re.compile(r"[ \t]*(?=[#;\r\n]|\Z)")


@dataclass(frozen=True, slots=True)
class LineFormat:
    """How one family of readers takes a line apart."""

    key: re.Pattern[str]
    """From the first character of a line to the first one of the value; the group `key` is the setting's name."""
    value: re.Pattern[str]
    """The value without quotes, up to a comment or the end of the line."""
    style: str
    quotes: dict[str, str]
    comments: tuple[str, ...] = ("#", ";")
    inline: bool = True
    """Whether a comment may stand behind a value."""


_NO_KEY = re.compile(r"^\Z|[\"'<>{}]")
_KEY = re.compile(r"(?P<key>(?:[^=:\r\n]|:(?![ \t\r\n]|\Z))*)(?:=|:(?=[ \t\r\n]|\Z))[ \t]*")
_KEY_EQUALS = re.compile(r"(?P<key>[^=\r\n]*)=[ \t]*")
_KEY_JAVA = re.compile(r"(?P<key>(?:\\.|[^\\=: \t\f\r\n])+)(?:[ \t\f]*[=:]|[ \t\f])[ \t\f]*")
_KEY_SPACE = re.compile(r"(?P<key>[A-Za-z][\w-]*)[ \t]+")

FORMATS = {
    "ini": LineFormat(_KEY, re.compile(_NO_COMMENT), "ini", _QUOTED),
    "mysql": LineFormat(
        _KEY_EQUALS, re.compile("(?:[^\r\n#\"']|" + "|".join(_ESCAPED.values()) + ")*"), "mysql", _ESCAPED
    ),
    "npmrc": LineFormat(_KEY_EQUALS, re.compile(r"(?:\\[^\r\n]|[^\\;#\r\n])*"), "npmrc", _ALONE),
    "properties": LineFormat(
        _KEY_JAVA, re.compile(r"(?:\\(?:\r\n|.)|[^\\\r\n])*", re.DOTALL), "properties", {}, ("#", "!"), inline=False
    ),
    "redis": LineFormat(_KEY_SPACE, re.compile(r"[^\s\"'][^\s]*(?=[ \t]*(?:\r|\n|\Z))"), "redis", _ALONE, ("#",), inline=False),
    "requirements": LineFormat(re.compile("(?P<key>)"), re.compile(_NO_COMMENT), "requirements", {}, ("#",)),
}  # fmt: skip
_NAMES = {'"': "double", "'": "single"}


def line_places(text: str, kind: str) -> Iterator[Place]:
    """Yield the values and comments of a text whose format is a key of `FORMATS`."""
    form = FORMATS[kind]
    position = 0
    while position < len(text):
        start = _end(_BLANK, text, position)
        position = _end(_LINE, text, start)
        if text.startswith(form.comments, start):
            yield Place("comment", start, position)
        elif head := form.key.match(text, start):
            place = _value(form, text, head)
            if place is not None:
                yield place
                position = _end(_LINE, text, place.outer[1])
                if form.inline and text[place.outer[1] : position].lstrip(" \t").startswith(form.comments):
                    yield Place("comment", place.outer[1], position)
        position = max(_end(_END, text, position), position)


def _value(form: LineFormat, text: str, head: re.Match[str]) -> Place | None:
    start, key = head.end(), head["key"].strip()
    if form.style != "requirements" and _NO_KEY.search(key):
        return None
    quote = text[start : start + 1]
    if quote in form.quotes:
        match = re.compile(form.quotes[quote]).match(text, start)
        if match and _BREAK.match(text, match.end()):
            return Place(f"{form.style}-{_NAMES[quote]}", start + 1, match.end() - 1, key, (start, match.end()))
    match = form.value.match(text, start)
    if match is None:
        return None
    end = match.end()
    while end > start and text[end - 1] in " \t\f" and not (form.style == "properties" and text[end - 2] == "\\"):
        end -= 1
    if form.style == "ini" and text[start : start + 1] in {"#", ";", '"', "'"}:
        return None  # readers differ: a comment behind an empty value, or a value; quotes, or a part of it
    return Place(form.style, start, end, key, (start, end))


_TOKEN = re.compile(r'"(?P<quoted>(?:[^"\\\r\n]|\\.)*)"(?=\s|\Z)|(?P<bare>\S+)')
_MACRO = re.compile(r".*?(?:\r?\n\r?\n|\Z)", re.DOTALL)
_NETRC_VALUES = {"machine", "login", "user", "account", "password"}


def netrc_places(text: str) -> Iterator[Place]:
    """Yield the words behind `login`, `password` and so on, and comments (from a word with `#`)."""
    position, keyword = 0, ""
    while match := _TOKEN.search(text, position):
        position = match.end()
        word = match.group()
        if not keyword and word.startswith("#"):
            position = _end(_LINE, text, match.start())
            yield Place("comment", match.start(), position)
        elif keyword:
            group = "quoted" if match["quoted"] is not None else "bare"
            style = "netrc-double" if group == "quoted" else "netrc"
            yield Place(style, *match.span(group), keyword, match.span())
            keyword = ""
        elif word == "macdef":
            position = _end(_MACRO, text, position)
        elif word in _NETRC_VALUES:
            keyword = word


_FIELDS = re.compile(r"(?:(?:\\.|[^\\:\r\n])*:){4}")
_PASSWORD = re.compile(r"[a-z]+://[^\s:]*(?=\r|\n|\Z)|(?:\\[^\r\n]|[^\\:\r\n])*")
"""Up to a colon, for libpq; but a reference has one of its own."""


def pgpass_places(text: str) -> Iterator[Place]:
    """Yield the fifth field of each line, and comments."""
    position = 0
    while position < len(text):
        end = _end(_LINE, text, position)
        if text.startswith("#", position):
            yield Place("comment", position, end)
        elif fields := _FIELDS.match(text, position):
            stop = _end(_PASSWORD, text, fields.end())
            yield Place("pgpass", fields.end(), stop, "password", (fields.end(), stop))
        position = max(_end(_END, text, end), end)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
