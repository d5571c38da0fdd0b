"""Names for findings that survive line moves and give nothing away.

A value that nobody can guess (80 bits of estimated entropy or more) goes into an HMAC, so that another value in the same
place is another finding. A value that somebody might guess never does: its fingerprint says only where it stands, as the
n-th finding of this rule and name in this file, since a hash of it would let the guess be tried offline.
"""

from __future__ import annotations

from locum.detect.checks import estimated_bits

UNGUESSABLE_BITS = 80.0
_PURPOSE = b"locum fingerprint 1\0"
_VALUE_PURPOSE = b"locum value 1\0"


def fingerprint(project: str, path: str, rule: str, value: bytes, name: str, ordinal: int) -> str:
    """Return 32 hexadecimal digits. `path` is relative to the project, with `/`; `ordinal` counts equal ones from 0."""
    import hashlib  # 4 ms with OpenSSL: a text without findings needs none
    import hmac

    guessable = estimated_bits(value) < UNGUESSABLE_BITS
    parts = (rule, path, name, str(ordinal)) if guessable else (rule, path)
    text = b"\0".join(part.encode("utf-8", "surrogatepass") for part in parts)
    if not guessable:
        text += b"\0" + value
    return hmac.digest(_PURPOSE + project.encode("utf-8", "surrogatepass"), text, hashlib.sha256).hex()[:32]


def value_fingerprint(project: str, value: bytes) -> str:
    """Return 32 hexadecimal digits that name a value wherever in the project it stands; "" for one that can be guessed."""
    if estimated_bits(value) < UNGUESSABLE_BITS:
        return ""
    import hashlib
    import hmac

    return hmac.digest(_VALUE_PURPOSE + project.encode("utf-8", "surrogatepass"), value, hashlib.sha256).hex()[:32]
