"""Which encoding a file's bytes are in. Knows nothing of lines and offsets.

A byte-order mark decides. Without one: UTF-16 where every second byte of plain text is zero, UTF-8 where the bytes are, and
else a single-byte encoding of the West. What is mostly UTF-8 with a few stray bytes stays UTF-8, so that columns are those
that an editor shows. Every answer gives the file back byte for byte.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le", 4),
    (codecs.BOM_UTF32_BE, "utf-32-be", 4),
    (codecs.BOM_UTF8, "utf-8", 1),
    (codecs.BOM_UTF16_LE, "utf-16-le", 2),
    (codecs.BOM_UTF16_BE, "utf-16-be", 2),
)
"""Byte-order marks, the longer first, and how many bytes a unit has."""
_SAMPLE = 8192
"""Bytes that are looked at to tell text from other data."""
_LEAST = 8
"""Bytes below which nothing is evident without a mark."""
_NO_TEXT = bytes(byte for byte in range(32) if byte not in b"\b\t\n\f\r\x1b") + b"\x7f"
_STRAY = re.compile("[\udc80-\udcff]")
_C1 = re.compile(rb"[\x80-\x9f]")


class Decoded(NamedTuple):
    """A file's text, and what it takes to write it back."""

    text: str
    encoding: str
    errors: str = "surrogatepass"
    """How the codec treats what is no character: "surrogatepass", or "surrogateescape" for stray bytes."""
    mark: bytes = b""
    tail: bytes = b""
    """Bytes at the end that are no whole unit."""


def decode(raw: bytes) -> Decoded:
    """Return the text of any bytes. Data that is no text comes out as the single-byte encoding says."""
    for mark, encoding, width in _MARKS:
        if raw.startswith(mark):
            decoded = _units(raw, mark, encoding, width)
            if decoded is not None:
                return decoded
    wide = _without_mark(raw[:_SAMPLE])
    if wide:
        decoded = _units(raw, b"", wide, 2)
        if decoded is not None:
            return decoded
    try:
        return Decoded(raw.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return _not_quite_utf8(raw)


def is_binary(raw: bytes) -> bool:
    """Say whether bytes are no text in any encoding that `decode` knows."""
    sample = raw[:_SAMPLE]
    if raw.startswith(tuple(mark for mark, _, _ in _MARKS)):
        return False
    if b"\0" in sample:
        return not _without_mark(sample)
    controls = len(sample) - len(sample.translate(None, _NO_TEXT))
    return controls * 10 > len(sample) and not _is_utf8(sample)


def _units(raw: bytes, mark: bytes, encoding: str, width: int) -> Decoded | None:
    body = raw[len(mark) :]
    whole = len(body) - len(body) % width
    try:
        text = body[:whole].decode(encoding, "surrogatepass")
    except UnicodeDecodeError:
        return None
    return Decoded(text, encoding, mark=mark, tail=body[whole:])


def _without_mark(sample: bytes) -> str:
    """Return which UTF-16 a text is in whose zero bytes show it; "" for none."""
    if len(sample) < _LEAST or b"\0" not in sample:
        return ""
    even, odd = sample[::2], sample[1::2]
    for low, high, encoding in ((even, odd, "utf-16-le"), (odd, even, "utf-16-be")):
        zeros = high.count(0)
        controls = len(low) - len(low.translate(None, _NO_TEXT))
        if zeros * 10 >= 7 * len(high) and low.count(0) * 50 <= len(low) and controls * 10 <= len(low):
            return encoding
    return ""


def _not_quite_utf8(raw: bytes) -> Decoded:
    text = raw.decode("utf-8", "surrogateescape")
    strays = len(_STRAY.findall(text))
    if strays * 2 <= len(text) - len(text.encode("ascii", "ignore")) and not _is_binary_utf8(raw):
        return Decoded(text, "utf-8", "surrogateescape")
    if _C1.search(raw):
        try:
            return Decoded(raw.decode("cp1252"), "cp1252")
        except UnicodeDecodeError:
            pass  # a few bytes mean nothing there
    return Decoded(raw.decode("latin-1"), "latin-1")


def _is_binary_utf8(raw: bytes) -> bool:
    return b"\0" in raw[:_SAMPLE]


def _is_utf8(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # a character may be cut at the sample's end
    except UnicodeDecodeError:
        return False
    return True
