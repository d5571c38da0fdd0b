"""The forms in which a value turns up in the output of a program.

Knows encodings; knows nothing of streams, masks or processes, and does no I/O. Values stay bytes: at most one
character of a value is ever text. Forms that equal the value itself cost nothing, so the list is generous.

Not covered on purpose, because no list of forms can be complete: compression, double encodings, ciphers such as
rot13, changes of case, octal dumps, and separators other than white space between the characters.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping

LINE = 12
"""Lines of a value shorter than this are no form of their own: `}` and `-----` are everybody's."""

_PART = 6
"""A part of a value shorter than this would turn up everywhere by chance."""
_URL_LOGIN = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#@\s]+)@")

_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_CHARACTER = re.compile(
    rb"[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}", re.DOTALL
)
_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_UNRESERVED = _LETTERS | frozenset(b"_.-~")
# What stays as it is, for each family of percent-encoders.
_PERCENT_STYLES: tuple[frozenset[int], ...] = (
    _UNRESERVED,  # RFC 3986
    _UNRESERVED | frozenset(b"/"),  # a path
    _UNRESERVED | frozenset(b"!'()*"),  # encodeURIComponent
    _UNRESERVED | frozenset(b";,/?:@&=+$!*'()#"),  # encodeURI
    frozenset(),  # everything
)

_C_ESCAPES = {
    ord("\\"): b"\\\\",
    ord("\n"): b"\\n",
    ord("\r"): b"\\r",
    ord("\t"): b"\\t",
}
_CONTROLS = (*range(0x20), 0x7F)
_JSON: Mapping[int, bytes] = {
    **{byte: b"\\u%04x" % byte for byte in range(0x20)},
    **_C_ESCAPES,
    ord("\b"): b"\\b",
    ord("\f"): b"\\f",
    ord('"'): b'\\"',
}
_JSON_STYLES: tuple[Mapping[int, bytes], ...] = (
    _JSON,
    {**_JSON, ord("/"): b"\\/"},  # PHP
    {**_JSON, **{byte: b"\\u%04x" % byte for byte in b"<>&"}},  # Go, Rails: safe inside HTML
    {**_JSON, **{byte: b"\\u%04X" % byte for byte in b"<>&'"}},  # .NET
)
_PYTHON: Mapping[int, bytes] = {**{byte: b"\\x%02x" % byte for byte in _CONTROLS}, **_C_ESCAPES}
_PYTHON_BYTES: Mapping[int, bytes] = {**_PYTHON, **{byte: b"\\x%02x" % byte for byte in range(0x80, 0x100)}}
_HTML: Mapping[int, bytes] = {ord("&"): b"&amp;", ord("<"): b"&lt;", ord(">"): b"&gt;"}

_ESCAPE_STYLES: tuple[Mapping[int, bytes], ...] = (
    _PYTHON,
    {**_PYTHON, ord("'"): b"\\'"},
    {**_PYTHON, ord('"'): b'\\"'},
    _PYTHON_BYTES,
    {**_PYTHON_BYTES, ord("'"): b"\\'"},
    {ord("'"): b"'\\''"},  # sh, between single quotes
    {ord("'"): b"'\"'\"'"},  # the same, as shlex writes it
    {byte: b"\\%c" % byte for byte in b'"$`\\'},  # sh, between double quotes: `export -p`
    {byte: b"\\%c" % byte for byte in range(0x20, 0x7F) if byte not in _LETTERS | frozenset(b"_-./")},  # everything
    {byte: b"\\%c" % byte for byte in b" !\"$&'()*,;<>?[\\]^`{|}"},  # bash's printf %q
    {ord("'"): b"''"},  # SQL
    {byte: b"\\%c" % byte for byte in b"'\"\\"},  # MySQL
    _HTML,
    {**_HTML, ord('"'): b"&quot;"},
    {**_HTML, ord('"'): b"&quot;", ord("'"): b"&#x27;"},
    {**_HTML, ord('"'): b"&quot;", ord("'"): b"&#39;"},
    {**_HTML, ord('"'): b"&#34;", ord("'"): b"&#39;"},
)


def forms(value: bytes) -> frozenset[bytes]:
    """Return every registered form of the value, itself included. The empty value has none."""
    if not value:
        return frozenset()
    found = {value, value[::-1], value.hex().encode(), value.hex().upper().encode()}
    found.update(_base64_cores(value))
    found.update(_percent_forms(value))
    found.update(_escape(value, table) for table in (*_ESCAPE_STYLES, *_JSON_STYLES))
    found.update(_text_forms(value))
    found.update(line for line in value.splitlines() if len(line) >= LINE)
    return frozenset(found)


def part_forms(value: bytes) -> frozenset[bytes]:
    """Return the forms of what is secret by itself inside of the value, none for most values."""
    found: set[bytes] = set()
    for part in _parts(value):
        found.update((part, part.hex().encode(), part.hex().upper().encode()))
        found.update(_base64_cores(part))
        found.update(_percent_forms(part))
    return frozenset(found)


def _parts(value: bytes) -> Iterator[bytes]:
    """Yield what is secret by itself inside of a value: the login of a URL, the password of it and of `user:password`.

    As it is written, and as a program reads it that decodes percent signs.
    """
    url = _URL_LOGIN.match(value)
    login = url[1] if url is not None else value if value.count(b":") == 1 and b"/" not in value else b""
    _, colon, password = login.partition(b":")
    if not colon:
        return
    for part in (login if url is not None else b"", password):
        if len(part) >= _PART:
            yield part
            yield _PERCENT.sub(lambda match: bytes((int(match[1], 16),)), part)


def _escape(value: bytes, table: Mapping[int, bytes]) -> bytes:
    return b"".join(table.get(byte) or bytes((byte,)) for byte in value)


def _base64_cores(value: bytes) -> Iterator[bytes]:
    """Yield base64 and base64url of the value at the three places where it may start in a longer text.

    Digits that also carry bits of a neighbour are dropped: they differ from text to text.
    """
    for lead in range(3):
        encoded = base64.b64encode(bytes(lead) + value)
        digits_before = -(-lead * 4 // 3)
        digits_inside = (lead + len(value)) * 8 // 6
        core = encoded[digits_before:digits_inside]
        yield core
        yield core.replace(b"+", b"-").replace(b"/", b"_")


def _percent_forms(value: bytes) -> Iterator[bytes]:
    for kept in _PERCENT_STYLES:
        for digits in (b"%%%02X", b"%%%02x"):
            table = {byte: digits % byte for byte in range(0x100) if byte not in kept}
            yield _escape(value, table)
            yield _escape(value, {**table, ord(" "): b"+"})  # a form field


def _text_forms(value: bytes) -> Iterator[bytes]:
    """Yield the forms that only text has; bytes that are no UTF-8 have none."""
    characters = _CHARACTER.findall(value)
    if sum(map(len, characters)) != len(value):
        return
    yield _by_character(characters, _utf16)
    yield b"".join(reversed(characters))
    if len(characters) != len(value):  # ASCII was covered byte for byte
        for table in _JSON_STYLES:
            yield _by_character(characters, lambda character, table=table: _json_ascii(character, table))


def _by_character(characters: list[bytes], encode: Callable[[bytes], bytes]) -> bytes:
    return b"".join(map(encode, characters))


def _utf16(character: bytes) -> bytes:
    return character.decode(errors="replace").encode("utf-16-le")


def _json_ascii(character: bytes, table: Mapping[int, bytes]) -> bytes:
    if len(character) == 1:
        return table.get(character[0], character)
    units = character.decode(errors="replace").encode("utf-16-be")
    return b"".join(b"\\u%02x%02x" % (units[at], units[at + 1]) for at in range(0, len(units), 2))
