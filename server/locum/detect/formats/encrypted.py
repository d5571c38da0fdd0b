"""Values that are encrypted where they stand, or are no text: the engine leaves these places out.

What stands next to them in plain text is seen all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from locum.detect.formats.jsontext import values
from locum.detect.formats.model import Expression, Work

Span = tuple[int, int]

_LONGEST = 4 * 1024 * 1024
"""Bytes that one encrypted value may take."""
_ENC = Expression(rb"ENC\[(?:AES256_GCM|PKCS7|GPG|GKMS|KMS|AES)[^\[\]\"'\s]*+\]")
_ENC_ROUND = Expression(rb"ENC\([A-Za-z0-9+/=_-]{16,8000}\)")
_VAULT = Expression(rb"\$ANSIBLE_VAULT;\d\.\d;AES256?(?:;[\w.-]{1,80})?(?:\r?\n[ \t]*[0-9a-f]{2,200}(?=\r?\n|$))*+")
_VAULT_ESCAPED = Expression(rb"\$ANSIBLE_VAULT;\d\.\d;AES256?(?:;[\w.-]{1,80})?(?:\\n[0-9a-f]{2,200})++")
_ARMOR = Expression(rb"-----BEGIN[ ](?P<what>AGE[ ]ENCRYPTED[ ]FILE|PGP[ ]MESSAGE)-----")
_DOTENVX = Expression(rb"encrypted:[A-Za-z0-9+/]{20,}+={0,2}")
_CIPHER = Expression(rb"\{cipher\}[A-Za-z0-9+/=]{8,}+")
_SECURE = Expression(rb"secure[\"']?:[ \t]*[\"']?(?P<value>[A-Za-z0-9+/\n\\ ]{80,4000}={0,2})")
_SEALED_KIND = Expression(rb"""kind["']?:[ \t]*["']?SealedSecret\b""")
_SEALED_DATA = Expression(rb"""encryptedData["']?:[ \t]*\{?""")
_SEALED_VALUE = Expression(rb"""[\w.-]{1,253}["']?:[ \t]*(?:>-?|\|-?)?\s*["']?(?P<value>Ag[A-Za-z0-9+/=]{60,}+)""")
_SOPS_KEY = Expression(rb"""(?m)^[ \t-]*["']?enc["']?:[ \t]*["']?(?P<value>[A-Za-z0-9+/=_-]{40,4000})""")
_BAG = Expression(rb""""encrypted_data"\s{0,8}:\s{0,8}"(?P<value>[^"]*+)\"""")
_RAILS = Expression(rb"[A-Za-z0-9+/=]{16,}+--[A-Za-z0-9+/=]{12,40}--[A-Za-z0-9+/=]{20,40}\s*")


def encrypted_spans(data: bytes, path: str, places: Mapping[str, list[int]] | None, work: Work) -> Iterator[Span]:
    """Yield the spans, in no order; they may overlap. Without `places` the text is searched."""
    lower = path.lower()
    if lower.endswith(".ipynb"):
        yield from _no_text(data, work)
    if lower.endswith(".enc") and _RAILS.compiled.fullmatch(data):
        yield 0, len(data)
    for anchor, literal, read in _FORMS:
        done = 0
        for at in _all(data, literal) if places is None else places.get(anchor, ()):
            if at >= done and work.take(4):
                spans, done = read(data, at)
                yield from spans


def _all(data: bytes, literal: bytes) -> Iterator[int]:
    at = data.find(literal)
    while at >= 0:
        yield at
        at = data.find(literal, at + len(literal))


Reading = tuple[list[Span], int]
"""The spans, and how far was read: nothing more is to be found before that."""


def _whole(expression: Expression) -> Callable[[bytes, int], Reading]:
    def read(data: bytes, at: int) -> Reading:
        match = expression.compiled.match(data, at, at + _LONGEST)
        return ([match.span("value" if "value" in match.re.groupindex else 0)], match.end()) if match else ([], at + 1)

    return read


def _ansible(data: bytes, at: int) -> Reading:
    match = _VAULT_ESCAPED.compiled.match(data, at) or _VAULT.compiled.match(data, at)
    return ([match.span()], match.end()) if match else ([], at + 1)


def _armor(data: bytes, at: int) -> Reading:
    match = _ARMOR.compiled.match(data, at)
    if match is None:
        return [], at + 1
    last = b"-----END " + match["what"] + b"-----"
    end = data.find(last, at, at + _LONGEST)
    return ([(at, end + len(last))], end) if end >= 0 else ([], at + _LONGEST)


def _sealed(data: bytes, at: int) -> Reading:
    """Return the values below `encryptedData` in the document that says that it is a SealedSecret."""
    if not _SEALED_KIND.compiled.match(data, at):
        return [], at + 1
    end = data.find(b"\n---", at)
    end = min(len(data) if end < 0 else end, at + _LONGEST)
    start = _SEALED_DATA.compiled.search(data, at, end)
    if start is None:
        return [], end
    return [match.span("value") for match in _SEALED_VALUE.compiled.finditer(data, start.end(), end)], end


def _sops_keys(data: bytes, at: int) -> Reading:
    """Return the wrapped data keys in the metadata that SOPS leaves in a file."""
    if at and data[at - 1] not in b"\n\"'{,\t ":
        return [], at + 1
    end = at + 65536
    return [match.span("value") for match in _SOPS_KEY.compiled.finditer(data, at, end)], end


def _no_text(data: bytes, work: Work) -> Iterator[Span]:
    """Yield what in a notebook is neither code nor text: images and other media in outputs, ids, hashes."""
    for value in values(data, work):
        keys = [key for key in value.keys if key != b"[]"]
        name = keys[-1] if keys else b""
        if name in {b"id", b"hash", b"execution_count"} or _is_media(keys):
            yield value.start, value.end


def _is_media(keys: list[bytes]) -> bool:
    return any(
        b"/" in key and key not in {b"text/plain", b"text/markdown", b"text/html", b"text/latex"} for key in keys[1:]
    ) and (b"data" in keys or b"attachments" in keys)


_LITERALS: tuple[tuple[bytes, Callable[[bytes, int], Reading]], ...] = (
    (b"ENC[", _whole(_ENC)),
    (b"ENC(", _whole(_ENC_ROUND)),
    (b"$ANSIBLE_VAULT;", _ansible),
    (b"-----BEGIN AGE ENC", _armor),
    (b"-----BEGIN PGP MESS", _armor),
    (b"encrypted:", _whole(_DOTENVX)),
    (b"{cipher}", _whole(_CIPHER)),
    (b"secure:", _whole(_SECURE)),
    (b'"secure":', lambda data, at: _whole(_SECURE)(data, at + 1)),
    (b"kind: SealedSecret", _sealed),
    (b'kind": "SealedSecret', _sealed),
    (b'kind":"SealedSecret', _sealed),
    (b"sops:", _sops_keys),
    (b'sops": {', _sops_keys),
    (b'"encrypted_data"', _whole(_BAG)),
)
_FORMS = tuple((literal.decode("ascii").lower(), literal, read) for literal, read in _LITERALS)
"""How each begins."""
ANCHORS = tuple(anchor for anchor, _, _ in _FORMS)
