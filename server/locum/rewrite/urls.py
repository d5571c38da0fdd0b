"""Where a secret stands in a URL, and how its spelling there relates to the value that is stored. Pure text.

Terms and character classes are those of RFC 3986. Knows no language: an idiom says what its encoder leaves alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

UNRESERVED = "-._~"
"""What needs no escape anywhere, besides letters and digits."""
_BEFORE, _AFTER = 2000, 500
"""How far, in characters, a look around goes."""
_FIELD = re.compile(r"[$#]?\{[^{}]*\}|\\\([^()]*\)|\$\w+")
_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<user>[^\s/?#@:]*:)?\Z")
_NAME_ENDS = re.compile(r"(?::[^\s/?#@]*)?@")
_QUERY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s#]*[?&][\w.~%\[\]-]+=\Z")
_VALUE_ENDS = re.compile(r"[&#\s\"'<>]|\Z")
_ESCAPE = r"%[0-9A-Fa-f]{2}"
_SPELT = {
    "userinfo": re.compile(rf"(?:[A-Za-z0-9._~!$&'()*+,;=:-]|{_ESCAPE})+"),
    # `+` is a space for most readers of a query, and a plus for the others: it is left as it is.
    "query": re.compile(rf"(?:[A-Za-z0-9._~!$'()*,=:@/?-]|{_ESCAPE})+"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a URL that is all secret: its user name or password (`userinfo`), or a value of its `query`."""

    kind: str

    def decoded(self, spelt: str, keeps: str = UNRESERVED) -> str | None:
        """Return the value to store when an encoder that leaves `keeps` alone shall spell it in this part.

        None when the encoder would make another URL of it, or what a reader that undoes no escapes sees differently:
        then the text goes on holding what is stored. Another spelling of the same part is only made where an escape
        shows that its reader undoes them.
        """
        if _SPELT[self.kind].fullmatch(spelt) is None:
            return None
        try:
            value = unquote_to_bytes(spelt).decode()
        except UnicodeDecodeError:
            return None
        if "\0" in value:  # no environment variable can hold it; escaped it is none
            return None
        return value if "%" in spelt or encoded(value, keeps) == spelt else None


def part_of_url(before: str, after: str) -> Part | None:
    """Say which part of a URL stands between two texts of one string; expressions in them count as one word."""
    before, after = _FIELD.sub("x", before[-_BEFORE:]), _FIELD.sub("x", after[:_AFTER])
    userinfo = _USERINFO.search(before)
    if userinfo is not None:
        ends = after.startswith("@") if userinfo["user"] else _NAME_ENDS.match(after)
        return Part("userinfo") if ends else None
    if _QUERY.search(before) and _VALUE_ENDS.match(after):
        return Part("query")
    return None


def encoded(value: str, keeps: str = UNRESERVED) -> str:
    """Return the value with everything escaped but ASCII letters, digits and `keeps`."""
    return "".join(
        chr(byte) if chr(byte) in keeps or (byte < 0x80 and chr(byte).isalnum()) else f"%{byte:02X}"
        for byte in value.encode()
    )
