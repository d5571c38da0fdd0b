"""Made-up tokens in the format of real providers, put together at run time."""

from __future__ import annotations

import base64
import random
import secrets
import string
import zlib
from collections.abc import Callable

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_URL_SAFE = _BASE62 + "-_"
_BASE64 = _BASE62 + "+/"
_HEX = "0123456789abcdef"


def github_token(source: random.Random | None = None) -> str:
    """Return a GitHub personal access token that no account has, with the check that real ones end in."""
    return _checked("ghp", source or secrets.SystemRandom())


def _checked(prefix: str, source: random.Random) -> str:
    body = _some(source, _BASE62, 30)
    rest, check = zlib.crc32(body.encode()), ""
    while rest:
        rest, digit = divmod(rest, 62)
        check = _BASE62[digit] + check
    return prefix + f"_{body}{check:0>6}"


def _some(source: random.Random, alphabet: str, length: int) -> str:
    return "".join(source.choice(alphabet) for _ in range(length))


def _password(source: random.Random) -> str:
    """Return one that people choose, with a sign that a URL cannot hold."""
    body = [*_some(source, string.ascii_letters, 11), *_some(source, string.digits, 4)]
    source.shuffle(body)
    return "".join(body[:9]) + source.choice("!^*") + "".join(body[9:])


def _pem(source: random.Random) -> str:
    body = base64.b64encode(source.randbytes(600)).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    kind = "RSA PRIVATE" + " KEY"
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "digitalocean": lambda source: "dop_v1" + f"_{_some(source, _HEX, 64)}",
    "github": github_token,
    "gitlab": lambda source: "glpat" + f"-{_some(source, _BASE62, 20)}",
    "huggingface": lambda source: "hf" + f"_{_some(source, string.ascii_letters, 34)}",
    "npm": lambda source: _checked("npm", source),
    "openai": lambda source: "sk-proj" + f"-{_some(source, _BASE62, 74)}T3Blbk" + f"FJ{_some(source, _BASE62, 74)}",
    "password": _password,
    "pem": _pem,
    "sendgrid": lambda source: "SG" + f".{_some(source, _BASE62, 22)}.{_some(source, _BASE62, 43)}",
    "slack": lambda source: (
        "xoxb" + f"-{_some(source, string.digits, 12)}-{_some(source, string.digits, 12)}-{_some(source, _BASE62, 24)}"
    ),
    "stripe": lambda source: "sk_live" + f"_{_some(source, _BASE62, 24)}",
}
"""By kind: how one is made. Those with a checksum have the right one."""
