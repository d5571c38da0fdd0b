"""Made-up secrets that nobody has, and how to see them again in what a model was sent. Pure but for the random source.

A canary has the form of a GitHub token with the right checksum, so that every detector takes it for one. It is text, not
SecretBytes: it opens nothing, and it is never printed all the same.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import string
import zlib
from collections.abc import Iterable
from typing import Any, cast

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PIECE = 12
"""Characters in a row that give a canary away: no chance brings so many together."""
_GAPS = re.compile(r"(?:\s|\\n|\\r|\\t)+")


def make_canary() -> str:
    """Return a new canary."""
    body = "".join(secrets.choice(_BASE62) for _ in range(30))
    rest, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = _BASE62[digit] + check
    return f"ghp_{body}{check}"


def forms_of(canary: str) -> set[str]:
    """Return what gives a canary away: pieces of it, plain and in base64 (three alignments), hexadecimal and percent codes."""
    body = canary.partition("_")[2]
    raw = body.encode()
    found = {body[start : start + _PIECE] for start in range(len(body) - _PIECE + 1)}
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw).decode()
        first, last = -(-shift * 8 // 6), (shift + len(raw)) * 8 // 6
        whole = text[first:last]
        found |= {whole[start : start + _PIECE * 2] for start in range(len(whole) - _PIECE * 2 + 1)}
    spelt = (
        raw.hex(),
        raw.hex().upper(),
        "".join(f"%{byte:02X}" for byte in raw),
        "".join(f"%{byte:02x}" for byte in raw),
    )
    return found | set(spelt)


class Transcript:
    """All that a model was sent in one run."""

    def __init__(self, bodies: Iterable[bytes]) -> None:
        """Take the bodies of all requests: JSON, or whatever it was."""
        texts: dict[str, None] = {}
        for body in bodies:
            plain = body.decode("utf-8", "replace")
            try:
                texts |= dict.fromkeys(_strings(json.loads(plain)))
            except (ValueError, RecursionError):
                texts[plain] = None
        self.text = "\n".join(texts)
        """Every text of it once."""
        # Tools break lines (`base64` after 76 characters), and some put JSON into texts.
        self._close = _GAPS.sub("", self.text)

    def shows(self, canary: str) -> bool:
        """Say whether a canary is in it, in any form, in whole or in part."""
        return any(form in self._close for form in forms_of(canary))


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _strings(item)
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield key
            yield from _strings(item)
