"""Writes the sample shop: a real little project with made-up secrets in plain text, new ones each time.

The templates in `shop/` hold marks such as `{{STRIPE_KEY}}`, so that no secret is in our own files. The manifest names
no secrets yet, because it may only name declared ones: whoever moves them to a vault declares them with
`refs.manifest.add_secret` and then puts their names into the `secrets` of the tasks.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from importlib.resources import files
from pathlib import Path

_KINDS = (string.digits, string.ascii_uppercase, string.ascii_lowercase)
_ALPHANUMERIC = "".join(_KINDS)  # in the order that base 62 counts in
_MARK = re.compile(r"\{\{(\w+)\}\}")
_RUN = re.compile(r"(.)\1\1", re.IGNORECASE)  # `xxx` stands for a value, so detectors pass it by
_SUFFIX = ".tmpl"
_ORDER = b"order 1042: 3 mugs"


def build_shop(directory: Path) -> dict[str, bytes]:
    """Write the project into `directory`, which is made if need be. Raises OSError.

    Returns every planted value by the mark that it replaced, for callers that prove that none of them leaks.
    """
    planted = {
        "STRIPE_KEY": "sk_test_" + _random(24),
        "GITHUB_TOKEN": _github_token(),
        "GITLAB_TOKEN": "glpat-" + _random(20),
        "SENDGRID_KEY": f"SG.{_random(22)}.{_random(43)}",
        "DATABASE_PASSWORD": _random(20),
    }
    signature = hmac.new(planted["STRIPE_KEY"].encode(), _ORDER, hashlib.sha256).hexdigest()
    texts = planted | {"ORDER": _ORDER.decode(), "SIGNATURE": signature}
    directory.mkdir(parents=True, exist_ok=True)
    for template in files("locum.samples").joinpath("shop").iterdir():
        if template.name.endswith(_SUFFIX):
            name = template.name.removesuffix(_SUFFIX).replace("dot-", ".")
            text = _MARK.sub(lambda mark: texts[mark[1]], template.read_text(encoding="utf-8"))
            (directory / name).write_text(text, encoding="utf-8")
    return {name: value.encode() for name, value in planted.items()}


def _random(length: int) -> str:
    """Return letters and digits that look like a machine's: capitals, small letters and digits, and no runs."""
    while True:
        text = "".join(secrets.choice(_ALPHANUMERIC) for _ in range(length))
        if all(any(char in kind for char in text) for kind in _KINDS) and not _RUN.search(text):
            return text


def _github_token() -> str:
    """Return a token with GitHub's check: the CRC-32 of its random part, in base 62, as the last six characters."""
    while True:
        body = _random(30)
        rest, check = zlib.crc32(body.encode()), ""
        while rest:
            rest, digit = divmod(rest, 62)
            check = _ALPHANUMERIC[digit] + check
        text = f"{body}{check:0>6}"
        if not _RUN.search(text):
            return f"ghp_{text}"
