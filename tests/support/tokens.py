"""Made-up tokens in the format of real providers, put together at run time."""

from __future__ import annotations

import secrets
import string
import zlib

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def github_token() -> str:
    """Return a GitHub personal access token that no account has, with the check that real ones end in."""
    body = "".join(secrets.choice(_BASE62) for _ in range(30))
    rest, check = zlib.crc32(body.encode()), ""
    while rest:
        rest, digit = divmod(rest, 62)
        check = _BASE62[digit] + check
    return "ghp" + f"_{body}{check:0>6}"
