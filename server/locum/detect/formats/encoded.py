"""Text that stands in base64, hexadecimal, percent or `\\x` form in another text: found by how telling words look in that form.

One level. What is decoded must be text; a secret in base64 or hexadecimal stands for the whole of its encoded form.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping
from string import ascii_letters, digits

from locum.detect.formats.judging import decoded
from locum.detect.formats.model import Builder, Expression, Source

_TELLING = (
    "-----BEGIN", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "sk_live_", "rk_live_", "sk-ant-", "sk-proj-", "xoxb-",
    "xoxp-", "AKIA", "ASIA", "AIza", "npm_", "pypi-", "hvs.", "dop_v1_", "shpat_", "hooks.slack.com", "T3BlbkFJ",
    "password", "Password", "PASSWORD", "passwd", "secret", "Secret", "SECRET", "token", "Token", "TOKEN", "api_key",
    "apiKey", "API_KEY", "apikey", "private_key", "privateKey", "access_key", "accessKey", "ACCESS_KEY", "credential",
    "postgres", "mysql://", "mongodb", "redis://", "amqp://", "AccountKey=",
)  # fmt: skip
"""What an encoded text must hold to be worth decoding."""
_BASE64 = f"{ascii_letters}{digits}+/_-".encode()
_HEX = b"0123456789abcdefABCDEF"
_LONGEST = 64 * 1024
_LEAST = 16
_SHORT = 1024
"""Up to this length a run is tried again from the next word in it: what is before the first may belong to something else."""
_WRAPPED = 60
"""From this length on, a run of base64 that ends with its line goes on in the next one."""
_LINE_END = Expression(rb"(?:\\r)?\\n|\r?\n[ \t]*+")
_WRAPPED_RUN = Expression(
    rb"(?:[A-Za-z0-9+/_-]{60,}+(?:(?:\\r)?\\n|\r?\n[ \t]*+)(?=[A-Za-z0-9+/_-]{4}))*+[A-Za-z0-9+/_-]*+={0,2}"
)
_HEX_RUN = Expression(rb"[0-9a-fA-F]*+")
_TEXT = bytes(range(0x20, 0x7F)) + b"\t\r\n"
_PERCENT = Expression(rb"%[0-9A-Fa-f]{2}")
_PERCENT_RUN = Expression(rb"""[^\s"'<>`\x00-\x1f]*+""")


def _inner(word: bytes, shift: int) -> bytes:
    """Return the base64 characters that any text has that holds the word `shift` bytes after a group's beginning."""
    whole = b2a_base64(b"\0" * shift + word + b"\0" * 3)
    return whole[-(-8 * shift // 6) : 8 * (shift + len(word)) // 6]


_IN_BASE64: dict[str, list[tuple[bytes, int]]] = {}
"""By anchor: the exact characters, and how many stand between a group's beginning and them."""
for _word in _TELLING:  # the exact form also tells upper from lower case
    for _shift in range(3):
        _exact = _inner(_word.encode(), _shift)
        if len(_exact) >= 4 and _exact.isalnum():
            _IN_BASE64.setdefault(_exact.decode().lower(), []).append((_exact, -(-8 * _shift // 6)))
_IN_HEX = {_word.encode().hex(): _word for _word in _TELLING if len(_word) >= 4}
_IN_PERCENT = (
    "%3a%2f%2f", "-----begin%20", "-----begin+", "%22%3a%22", "%22%3a%20%22", "password%3d", "password%22", "password%3a",
    "token%22", "token%3d", "secret%22", "secret%3d", "_key%22", "_key%3d", "authorization%3a", "bearer%20", "basic%20",
)  # fmt: skip
ANCHORS = (*_IN_BASE64, *_IN_HEX, *_IN_PERCENT)


def base64_parts(source: Source, places: Mapping[str, list[int]], builder: Builder) -> None:
    """Add what stands in base64."""
    hits = sorted((at, anchor) for anchor in places.keys() & _IN_BASE64.keys() for at in places[anchor])
    done = 0
    for at, anchor in hits:
        if at < done or not source.work.take(4):
            continue
        for exact, before in _IN_BASE64[anchor]:
            if source.data.startswith(exact, at):
                done = max(done, _blob(source.data, at, before, done, builder))
                break


def _blob(data: bytes, at: int, before: int, done: int, builder: Builder) -> int:
    """Decode the base64 around `at`, where the characters stand `before` after a group's beginning. Return its end."""
    start = _run_start(data, at, max(done, at - _LONGEST))
    while (line := _line_before(data, start, done)) < start and at - line < _LONGEST:
        start = _run_start(data, line, max(done, at - _LONGEST))
    match = _WRAPPED_RUN.compiled.match(data, start, at + _LONGEST)
    if match is None or match.end() <= at:
        return at
    joined = _LINE_END.compiled.sub(b"", match[0])
    surplus = (len(_LINE_END.compiled.sub(b"", data[start:at])) - before) % 4  # on the left, of something else
    text = _text(joined[surplus:].rstrip(b"="))
    if len(joined) < _LEAST or not text or (surplus and len(joined) != len(match[0])):
        return match.end() if len(joined) > _SHORT else at
    builder.gap()
    builder.coded(text, start + surplus, match.end())
    return match.end()


def _run_start(data: bytes, at: int, first: int) -> int:
    """Return where the run of base64 characters begins that ends at `at`, at `first` the earliest."""
    while at > first:
        run = data[max(first, at - 4096) : at]
        kept = len(run.rstrip(_BASE64))
        at -= len(run) - kept
        if kept:
            break
    return at


def _line_before(data: bytes, start: int, first: int) -> int:
    """Return where the line before ends, when a text that is wrapped goes on at `start`; else `start`."""
    gap = data[max(first, start - 64) : start]
    bare = gap.rstrip(b" \t")
    ending = next((ending for ending in (b"\\r\\n", b"\\n", b"\r\n", b"\n") if bare.endswith(ending)), b"")
    end = start - len(gap) + len(bare) - len(ending)
    line = data[max(first, end - _WRAPPED) : end]
    return end if ending and len(line) == _WRAPPED and not line.strip(_BASE64) else start


def _text(blob: bytes) -> bytes:
    """Return what a blob says when that is text, else b""."""
    if len(blob) % 4 == 1:
        blob = blob[:-1]
    return _if_text(decoded(blob))


def _if_text(text: bytes) -> bytes:
    return text if len(text.translate(None, _TEXT)) <= len(text) // 20 else b""


def hex_parts(source: Source, places: Mapping[str, list[int]], builder: Builder) -> None:
    """Add what stands in hexadecimal digits."""
    done = 0
    for at in sorted(at for anchor in places.keys() & _IN_HEX.keys() for at in places[anchor]):
        if at < done or not source.work.take(4):
            continue
        run = source.data[max(done, at - _LONGEST) : at]
        start = at - len(run) + len(run.rstrip(_HEX))
        start += (at - start) % 2
        match = _HEX_RUN.compiled.match(source.data, at, at + _LONGEST)
        end = match.end() if match else at
        end -= (end - start) % 2
        text = _if_text(bytes.fromhex(source.data[start:end].decode("ascii")))
        if text and end - start >= 2 * _LEAST:
            builder.gap()
            builder.coded(text, start, end)
        done = end


def percent_parts(source: Source, places: Mapping[str, list[int]], builder: Builder) -> None:
    """Add what stands in percent encoding, as in a URL's query or a form's body."""
    done = 0
    for at in sorted(at for anchor in _IN_PERCENT for at in places.get(anchor, ())):
        if at < done or not source.work.take(4):
            continue
        before = source.data[max(done, at - 2048) : at]
        start = at - len(before) + max((before.rfind(char) + 1 for char in _ENDS), default=0)
        match = _PERCENT_RUN.compiled.match(source.data, at, at + _LONGEST)
        end = match.end() if match else at
        builder.gap()
        add_percent(source.data, start, end, builder)
        done = end


_ENDS = (b" ", b"\n", b"\t", b'"', b"'", b"<", b">", b"`")


def add_percent(data: bytes, start: int, end: int, builder: Builder) -> None:
    """Add `data[start:end]` with its percent signs undone."""
    for match in _PERCENT.compiled.finditer(data, start, end):
        builder.plain(start, match.start())
        builder.coded(bytes([int(match[0][1:], 16)]), *match.span())
        start = match.end()
    builder.plain(start, end)
