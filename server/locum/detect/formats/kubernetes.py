"""Kubernetes: the values of Secrets, in YAML and JSON, several in one file; and credentials in a kubeconfig."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from locum.detect.formats.jsontext import values
from locum.detect.formats.judging import decoded, stands_for_itself
from locum.detect.formats.model import Expression, Slot, Source

RULE = "kubernetes-secret"

_KIND = Expression(rb"""(?P<lead>[ ]*(?:-[ ]+)?)kind:[ \t]*["']?Secret["']?[ \t]*(?=\r?$|\r?\n|\#)""")
_JSON_KIND = Expression(rb""""kind"\s{0,8}:\s{0,8}"Secret\"""")
_ENTRY = Expression(
    rb"""(?P<indent>[ ]*)(?P<key>"[^"\n]{1,253}"|'[^'\n]{1,253}'|[\w./-]{1,253}):[ \t]*(?P<rest>[^\r\n]*)"""
)
_SECTION = Expression(
    rb"""[ ]*(?:-[ ]+)?["']?(?P<name>data|stringData)["']?:[ \t]*(?P<flow>\{[^\n]*)?(?:\#[^\n]*)?\r?$"""
)
_FLOW = Expression(rb"""["']?(?P<key>[\w./-]{1,253})["']?:\s*["']?(?P<value>[^"',{}\s]{4,4000})""")
_BLOCK = Expression(rb"[|>][+-]?\d?[ \t]*(?:\#.*)?$")
_NO_SECRET = Expression(
    rb"""(?i)(?:.*[._-])?(?:user|login|host|port|db|database|region|end_?point|namespace|type|email|url|uri|[a-z]*name(?:[_-]?in)?|issuer
    |(?:client|tenant|account|access[_-]?key|key)[_-]?id|account|bucket|scheme|driver|provider|[a-z]*address|crt|cert|ca|cacert|pub
    |public[_-]?key)"""
)
"""What else people keep in Secrets; an address may hold a password."""
_CONFIG_KIND = Expression(rb"""kind["']?:[ \t]*["']?Config["']?[ \t]*,?\r?$""")
_CONFIG = Expression(
    rb"""(?m)^[ \t-]*["']?(?P<name>token|password|client-key-data|id-token|refresh-token|access-token|client-secret)["']?:[ \t]*
    ["']?(?P<value>[^\s"',]{4,16000})["']?,?[ \t]*\r?$"""
)
_MOST_LINES = 4000
_FAR = 512 * 1024


def secret(source: Source, at: int) -> Iterable[Slot]:
    """Read the values of the Secret whose `kind` stands at `at`."""
    data = source.data
    line = data.rfind(b"\n", max(0, at - 200), at) + 1
    match = _KIND.compiled.match(data, line, at + 40)
    if match is None:
        return
    lead = match["lead"]
    indent = len(lead)
    key = f"secret {indent}"
    if at < source.done.get(key, 0):
        return  # another kind in the same mapping
    first = line if b"-" in lead else _first_line(source, line, indent)
    yield from _sections(source, first, indent, key)


def _first_line(source: Source, line: int, indent: int) -> int:
    """Return where the mapping begins whose keys stand `indent` deep and one of which is at `line`."""
    data = source.data
    for _ in range(_MOST_LINES):
        if line == 0 or not source.work.take():
            return line
        above = data.rfind(b"\n", max(0, line - 8192), line - 1) + 1
        text = data[above : line - 1].rstrip(b"\r")
        bare = text.lstrip(b" ")
        depth = len(text) - len(bare)
        if text.startswith((b"---", b"...")) or (
            bare and not bare.startswith(b"#") and depth < indent and not bare.startswith(b"- ")
        ):
            return line
        if bare.startswith(b"- ") and depth < indent:
            return above  # the entry of a list that this mapping is
        if above == 0 and line > 8192:
            return line
        line = above
    return line


def _sections(source: Source, first: int, indent: int, key: str) -> Iterator[Slot]:
    """Yield the values below `data` and `stringData` of the mapping that begins at `first`."""
    data, start = source.data, first
    inside = b""
    while start < len(data) and start - first < _FAR and source.work.take():
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        text = data[start:end]
        bare = text.lstrip(b" ")
        depth = len(text) - len(bare)
        after = end + 1
        if start > first and (
            text.startswith((b"---", b"...")) or (bare.strip() and depth < indent and not bare.startswith(b"#"))
        ):
            return
        if bare.startswith(b"- ") and start == first:
            depth += len(bare) - len(bare[1:].lstrip(b" "))
        if depth == indent and bare.strip() and not bare.startswith(b"#"):
            section = _SECTION.compiled.match(text)
            inside = section["name"] if section else b""
            if section and section["flow"]:
                yield from _flow(source, start + section.start("flow"), end, inside)
        elif inside and depth > indent:
            entry = _ENTRY.compiled.match(data, start, end)
            if entry is not None:
                if _BLOCK.compiled.match(entry["rest"]):
                    after = _block_end(source, end + 1, depth)
                    yield from _value(source, entry["key"].strip(b"\"'"), end + 1, after, inside)
                else:
                    yield from _value(source, entry["key"].strip(b"\"'"), *entry.span("rest"), inside)
        start = source.done[key] = after


def _flow(source: Source, start: int, end: int, section: bytes) -> Iterator[Slot]:
    for match in _FLOW.compiled.finditer(source.data, start, end):
        yield from _value(source, match["key"], *match.span("value"), section)


def _block_end(source: Source, start: int, indent: int) -> int:
    """Return where the block ends whose key stands `indent` deep."""
    data = source.data
    while start < len(data) and source.work.take():
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        text = data[start:end]
        bare = text.lstrip(b" ")
        if bare.strip() and len(text) - len(bare) <= indent:
            break
        start = end + 1
    return min(start, len(data))


def _value(source: Source, key: bytes, start: int, end: int, section: bytes) -> Iterator[Slot]:
    """Yield the value at `[start, end)`, without spaces, quotes and comments around it, unless it is no secret."""
    data = source.data
    text = data[start:end]
    start += len(text) - len(text.lstrip())
    text = text.strip()
    if text[:1] in {b'"', b"'"}:
        closing = text.find(text[:1], 1)
        start, text = start + 1, text[1:closing] if closing > 0 else text[1:]
    elif b"\n" not in text and b" #" in text:
        text = text[: text.find(b" #")].rstrip()
    if is_secret(key, text, encoded=section == b"data"):
        yield Slot(
            start,
            start + len(text),
            key.replace(b".", b"_").replace(b"-", b"_"),
            RULE,
            f"{section.decode('ascii')} of a Secret",
        )


def is_secret(key: bytes, value: bytes, *, encoded: bool) -> bool:
    """Say whether an entry of a Secret is a secret, and not a user's name, a certificate or a word for one."""
    if encoded:
        value = decoded(b"".join(value.split())).strip()
    if _NO_SECRET.compiled.fullmatch(key) and not (b"://" in value and b"@" in value):
        return False
    if b"\n" in value and not value.startswith(b"-----BEGIN"):
        return False  # a file of its own, whose text is looked at as such
    return len(value) >= 3 and b"-----BEGIN CERTIFICATE" not in value[:400] and stands_for_itself(value)


def json_secret(source: Source, at: int) -> Iterable[Slot]:
    """Read all Secrets of a JSON text, once."""
    if source.done.get(RULE) or not _JSON_KIND.compiled.match(source.data, at, at + 40):
        return
    source.done[RULE] = 1
    secrets: set[int] = set()
    entries: list[tuple[int, bytes, bytes, int, int]] = []
    for value in values(source.data, source.work):
        if not value.text:
            continue
        if value.keys[-1] == b"kind" and source.data[value.start : value.end] == b"Secret":
            secrets.add(value.containers[-1])
        elif len(value.keys) > 1 and value.keys[-2] in {b"data", b"stringData"}:
            entries.append((value.containers[-2], value.keys[-1], value.keys[-2], value.start, value.end))
    for holder, key, section, start, end in entries:
        if holder in secrets:
            yield from _value(source, key, start, end, section)


def kubeconfig(source: Source, at: int) -> Iterable[Slot]:
    """Read the credentials of a kubeconfig, once."""
    data = source.data
    if source.done.get("kubeconfig"):
        return
    line = data[at : at + 60].split(b"\n", 1)[0]
    if not _CONFIG_KIND.compiled.match(line) or (b"clusters" not in data and b"users" not in data):
        return
    source.done["kubeconfig"] = 1
    for match in _CONFIG.compiled.finditer(data):
        if source.work.take() and stands_for_itself(match["value"]):
            yield Slot(
                *match.span("value"),
                match["name"].replace(b"-", b"_"),
                "kubeconfig-credential",
                "credential of a kubeconfig user",
            )


AT = {
    "kind: secret": secret, 'kind: "secret"': secret, "kind: 'secret'": secret,
    '"kind": "secret"': json_secret, '"kind":"secret"': json_secret,
    "kind: config": kubeconfig, '"kind": "config"': kubeconfig,
}  # fmt: skip
