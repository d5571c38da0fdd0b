r"""String literals of programs and of JSON as what they say: escapes undone, neighbours joined (`"a" + "b"`, `"a" \ "b"`).

Looked at only where a telling word stands in a literal, or names one; what has no escape and no neighbour is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from locum.detect.formats.model import Builder, Expression, Source

_NAMES = (
    "passw",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "accesskey",
    "private_key",
    "privatekey",
    "auth_key",
)
"""Words in names, and in text such as JSON in a string."""
_PREFIXES = (
    "-----begin", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "sk_live_", "rk_live_", "sk-ant-", "sk-proj-", "xoxb-",
    "xoxp-", "akia", "aiza", "npm_", "pypi-", "hvs.", "dop_v1_", "shpat_", "postgres", "mysql://", "mongodb", "redis://", "amqp://",
)  # fmt: skip
"""How values begin."""
_ESCAPED = (
    ":\\/\\/", "\\u003d", "\\u0022", "\\x67\\x68", "\\x41\\x4b\\x49", "\\x70\\x61\\x73\\x73", "\\x73\\x6b", "\\x78\\x6f\\x78",
)  # fmt: skip
ANCHORS = (*_NAMES, *_PREFIXES, *_ESCAPED)
_INSIDE = frozenset((*_PREFIXES, *_ESCAPED))
_ASSIGNED = Expression(
    rb"""[\w.$-]{0,40}+["'`]?\]?[ \t]{0,12}+(?=[=:,])(?::[ \t]{0,4}[A-Za-z][\w\[\]|.,<>?\ ]{0,40}(?==))?(?:=>|:=|=|:|,)\s{0,40}
    (?:\(\s{0,40})?(?P<mark>[A-Za-z@$]{0,2})(?=["'`])"""
)
_TEXT = {
    quote: Expression(rb"%b(?:[^%b\\]|\\(?s:.)){0,65536}?%b" % (quote, quote, quote)) for quote in (b'"', b"'", b"`")
}
_JOINED = Expression(
    rb"""[ \t]*(?:\+|\.{1,2}|&[ ]?_?|<<|\\)?[ \t]*(?:(?://|\#)[^\r\n]{0,200})?(?:\\?\r?\n[ \t]*){0,3}(?:\+|\.{1,2}|&|<<)?[ \t]*
    [bfruLR@$]{0,2}(?=["'`])"""
)
_LISTED = Expression(rb"""[ \t]*,?[ \t]*(?:\r?\n[ \t]*){0,2}(?=["'`])""")
_ESCAPE = Expression(
    rb"""\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\}|x[0-9a-fA-F]{2}
    |[0-3][0-7]{2}|\r?\n[ \t]*|(?s:.))"""
)
_SIMPLE = {
    b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t", b"\\b": b"\b", b"\\f": b"\f", b"\\v": b"\v", b"\\0": b"\0", b"\\a": b"\a",
    b"\\e": b"\x1b",
}  # fmt: skip
_MOST_PARTS = 256
_BACK = 4096
_LONGEST = 64 * 1024
_BEFORE = 160
_NEAR = 96
Span = tuple[int, int]


def literal_parts(source: Source, places: Mapping[str, list[int]], builder: Builder) -> None:
    """Add the literals that say something else than what is written."""
    hits = sorted((at, anchor in _INSIDE) for anchor in ANCHORS for at in places.get(anchor, ()))
    if not hits or not source.work.take(2 * len(hits)):
        return
    data, named, done = source.data, _ASSIGNED.compiled, 0
    for at, inside in hits:
        if at < done:
            continue
        match = None if inside else named.match(data, at, at + 240)
        if match is not None:
            start = match.end()
        elif (inside or data.find(b"\\", at, at + _NEAR) >= 0) and source.work.take(16):
            start = _opening(data, at, max(done, at - _BACK))
        else:
            continue
        if start >= 0:
            done = max(done, _add(source, start, at, done, builder))


def _opening(data: bytes, at: int, low: int) -> int:
    """Return where the nearest quote before `at` stands that is not escaped, on this line or one that goes on in it."""
    end = at
    for _ in range(16):
        end = max(data.rfind(b'"', low, end), data.rfind(b"'", low, end), data.rfind(b"`", low, end))
        if end < 0:
            return -1
        before = data[max(low, end - 16) : end]
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            return end if b"\n" not in data[end:at].replace(b"\\\n", b"") else -1
    return -1


def _add(source: Source, start: int, at: int, done: int, builder: Builder) -> int:
    """Add the literal at `start` with those that are joined to it, if that changes anything. Return how far was read."""
    data = source.data
    parts = _chain(source, start)
    if not parts or (parts[-1][1] < at):
        return at
    if len(parts) == 1 and data.find(b"\\", *parts[0]) < 0:
        return at
    end = parts[-1][1] + 1
    line = max(data.rfind(b"\n", max(0, start - _BEFORE), start) + 1, start - _BEFORE, done)
    builder.gap()
    builder.plain(line, parts[0][0])
    listed = data.startswith(b"-----BEGIN", parts[0][0])
    for number, (first, last) in enumerate(parts):
        if number and listed and data.find(b",", parts[number - 1][1], first) >= 0:
            builder.coded(b"\n", parts[number - 1][1], first)
        add_unescaped(data, first, last, builder)
    builder.plain(end - 1, end)
    return end


def _chain(source: Source, start: int) -> list[Span]:
    """Return the contents of the literals that stand side by side from `start` on."""
    data = source.data
    parts: list[Span] = []
    first = start
    while len(parts) < _MOST_PARTS and first - start < _LONGEST and source.work.take():
        form = _TEXT.get(data[first : first + 1])
        if form is None or data.startswith((b'"""', b"'''"), first):
            break
        match = form.compiled.match(data, first, first + _LONGEST)
        if match is None or (
            b"\n" in match[0].replace(b"\\\r\n", b"").replace(b"\\\n", b"") and data[first : first + 1] != b"`"
        ):
            break
        parts.append((first + 1, match.end() - 1))
        joint = _JOINED.compiled.match(data, match.end(), match.end() + 400)
        if joint is None and data.startswith(b"-----BEGIN", start + 1):
            joint = _LISTED.compiled.match(data, match.end(), match.end() + 200)
        if joint is None:
            break
        first = joint.end()
    return parts


def add_unescaped(data: bytes, start: int, end: int, builder: Builder) -> None:
    """Add the content of a literal at `[start, end)` with its escapes undone."""
    if data.find(b"\\", start, end) < 0:
        builder.plain(start, end)
        return
    for match in _ESCAPE.compiled.finditer(data, start, end):
        builder.plain(start, match.start())
        builder.coded(unescaped(match[0]), *match.span())
        start = match.end()
    builder.plain(start, end)


def unescaped(escape: bytes) -> bytes:
    """Return what an escape sequence stands for, as UTF-8."""
    simple = _SIMPLE.get(escape)
    if simple is not None:
        return simple
    kind = escape[1:2]
    if kind in b"\r\n":
        return b""
    if len(escape) == 2:
        return kind
    if len(escape) == 12:
        high, low = int(escape[2:6], 16), int(escape[8:], 16)
        return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00).encode()
    digits = escape[2:].strip(b"{}")
    number = int(escape[1:], 8) if kind.isdigit() else int(digits, 16)
    return chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else escape
