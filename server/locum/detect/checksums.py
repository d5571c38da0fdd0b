"""Checks of tokens that their makers gave a checksum or a form that can be looked at offline. Knows bytes only; no rules.

A check takes the value and answers True (the checksum proves it), False (it is not what its prefix says, or was altered),
or None (says nothing: an older form, or a form that is right and proves no more than the rule already did).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from locum.text.expression import lazy

_SYNAPSE_DIGITS = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ANTHROPIC = lazy(rb"sk-ant-(?:api|admin)\d\d-[0-9A-Za-z_-]{93}AA")


def grafana_checksum(value: bytes) -> bool | None:
    """Check Grafana's service account tokens: CRC-32 of all before the last `_`, as hexadecimal, lowest byte first."""
    body, _, check = value.rpartition(b"_")
    if not value.startswith(b"glsa_") or len(check) != 8:
        return None
    return zlib.crc32(body).to_bytes(4, "little").hex().encode() == check.lower()


def synapse_checksum(value: bytes) -> bool | None:
    """Check Matrix tokens as Synapse makes them: CRC-32 of all before the last `_`, in base 62 with small letters first."""
    body, _, check = value.rpartition(b"_")
    if len(check) != 6:
        return None
    number, digits = zlib.crc32(body), bytearray()
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits.insert(0, _SYNAPSE_DIGITS[digit])
    return bytes(digits) == check


def anthropic_form(value: bytes) -> bool | None:
    """Look at Anthropic's keys: 93 characters and then `AA`, which is what the last byte's filling encodes to."""
    return None if _ANTHROPIC.fullmatch(value) else False


def sentry_form(value: bytes) -> bool | None:
    """Look at Sentry's organization tokens: a JSON object that names the organization stands before the secret part."""
    import base64  # 3 ms with json: few texts hold such a token
    import json

    payload = value.removeprefix(b"sntrys_").partition(b"_")[0].rstrip(b"=")
    try:
        facts = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):  # not base64, not UTF-8, not JSON, or nested to hurt
        return False
    return None if isinstance(facts, dict) and "org" in facts else False


CHECKSUMS: dict[str, Callable[[bytes], bool | None]] = {
    "grafana": grafana_checksum,
    "synapse": synapse_checksum,
    "anthropic": anthropic_form,
    "sentry": sentry_form,
}
"""Checks by the name that rules use."""
CHECKSUM_NAMES = {"grafana": "checksum", "synapse": "checksum", "anthropic": "form", "sentry": "form"}
"""What a check looks at, for people."""
