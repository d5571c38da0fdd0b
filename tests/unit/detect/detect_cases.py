"""Reads the case files: texts with made-up values, put together at run time, so that no secret stands in our repository.

A case is one line: `rule | text with the value in [[ ]] | name`. In the text `{kind:length}` becomes random characters, and
`{_}` nothing: it stands in a word that another scanner would take for a secret's name or head.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
import zlib
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent / "cases"
SEEDS = range(4)
_ALPHABETS = {
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "digits": string.digits,
    "b32": string.ascii_uppercase + "234567",
    "b64": string.ascii_letters + string.digits + "+/",
    "b64u": string.ascii_letters + string.digits + "-_",
    "bech": "QPZRY9X8GF2TVDW0" + "S3JN54KHCE6MUA7L",
}
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SLOT = re.compile(r"\{(\w+)(?::(\d+))?\}")
_ESCAPE = re.compile(r"\\\\n|\\n|\\r")
_ESCAPES = {"\\\\n": "\\n", "\\n": "\n", "\\r": "\r"}
_RUN = re.compile(r"(.)\1\1", re.IGNORECASE)


@dataclass(frozen=True)
class Case:
    rule: str
    template: str
    name: str

    def build(self, seed: int) -> tuple[bytes, list[tuple[int, int]]]:
        """Return the text and the byte spans of its values."""
        text, spans = filled(self.template, seed), list[tuple[int, int]]()
        while "[[" in text:
            start = text.index("[[")
            end = text.index("]]", start) - 2
            text = text[:start] + text[start + 2 : end + 2] + text[end + 4 :]
            spans.append((start, end))
        return text.encode(), spans


def provider_cases() -> list[Case]:
    lines = [line.split(" | ") for line in _lines("providers.txt")]
    return [Case(line[0], line[1], line[2] if len(line) > 2 else "") for line in lines]


def clean_texts(seed: int = 0) -> list[bytes]:
    return [filled(line, seed).encode() for line in _lines("clean.txt")]


def filled(template: str, seed: int) -> str:
    """Put random characters into the slots of a template; the same ones for the same seed."""
    source = random.Random(f"{seed} {template}")
    text = _ESCAPE.sub(lambda escape: _ESCAPES[escape[0]], template)
    return _SLOT.sub(lambda slot: _made(source, slot), text)


def _made(source: random.Random, slot: re.Match[str]) -> str:
    kind = slot[1]
    if kind == "_":
        return ""
    if kind == "crc":
        return github_body(source)
    if kind == "jwt":
        return jwt(source)
    if kind == "pw":
        return characters(source, "alpha", 5) + source.choice("!%^.-") + characters(source, "digits", 3) + "q7Kd"
    return characters(source, kind, int(slot[2])) if kind in _ALPHABETS and slot[2] else slot[0]


def characters(source: random.Random, kind: str, length: int) -> str:
    """Return random characters that look like a machine's: with a digit where there are any, and without runs."""
    alphabet = _ALPHABETS[kind]
    while True:
        text = "".join(source.choice(alphabet) for _ in range(length))
        varied = length < 12 or "0" not in alphabet or any(char.isdigit() for char in text)
        if (
            varied
            and (length < 8 or not _RUN.search(text) or length > 80)
            and not text.startswith(("-", "+", "/", "_"))
        ):
            return text


def github_body(source: random.Random) -> str:
    body = characters(source, "alnum", 30)
    return body + checksum(body)


def checksum(body: str, digits: str = _BASE62) -> str:
    """Return what GitHub puts after a token's random part: its CRC-32 in base 62, written in these digits."""
    number, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        check = digits[digit] + check
    return check


def jwt(source: random.Random) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": characters(source, "digits", 9), "iat": source.randrange(10**9)})
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).rstrip(b"=").decode()
        for part in parts
    ]
    return ".".join([*encoded, characters(source, "b64u", 43)])


def _lines(name: str) -> list[str]:
    lines = (CASES / name).read_text("utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("## ")]
