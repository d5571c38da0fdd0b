"""Layer 3: does a candidate look like a real value? Entropy, placeholders, checksums, structure. Looks at bytes only."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable

from locum.detect.checksums import CHECKSUM_NAMES, CHECKSUMS
from locum.detect.selectors import trie_pattern
from locum.text.expression import lazy

_STANDS_FOR_ANOTHER = lazy(
    rb"""(?xi)
    (?: <.*> | \[.*\] | \$\w+ | %\w+% | \{[^}]*\} | %\(\w+\)s | @\w+@ | __\w+__ )$
    | (?: locum | op | ref\+\w+ | keyring | pass | vault | secret | ssm | env | file | https? ):// | arn:
    | [^{]*\{[A-Za-z_][\w.]*\}
    | (?: todo | tbd | fixme | none | null | nil | undefined | true | false )$
    | (?: test | fake | mock )(?: [-_ ]?[A-Za-z]{1,15} ){0,3}+[-_ ]?\d{0,4}$ | (.)\1+$ | (?: abc | 123 | qwerty )\d*$
    """
)
"""Whole values, or how they begin."""
_TELLING_PARTS = (
    b"${", b"$(", b"{{", b"}}", b"process.env", b"os.environ", b"getenv", b"secrets.", b"config.", b"...", b"\xe2\x80\xa6",
    b"\xe2\x80\xa2\xe2\x80\xa2",  # two bullets: a value that somebody covered, as our own previews do
    b"xxxx", b"****", b"------", b"______", b"00000000", b"changeme", b"change-me", b"change_me",
    b"replaceme", b"replace-", b"replace_", b"your-", b"your_", b"yourkey", b"yourtoken", b"yoursecret", b"yourpass",
    b"my-secret", b"mysecret",
    b"my_secret", b"insert-", b"insert_", b"enter-", b"enter_", b"paste-", b"-here", b"_here", b"placeholder",
    b"redacted", b"fillme", b"enc[", b"encrypted:", b"$ansible_vault", b"vault:v",
)  # fmt: skip
"""Parts, in lower case, that a value made by a machine is unlikely to hold."""
_EXAMPLE = lazy(rb"(?i)example|sample|dummy")
"""Words that a long random value may hold by its owner's taste, and that make a placeholder of a short one."""
_LONG = 32
_TELLING = lazy(trie_pattern(set(_TELLING_PARTS)))

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


_TABLE = [0.0, *(count * math.log2(count) for count in range(1, 64))]


def entropy(value: bytes) -> float:
    """Return Shannon's entropy of the bytes, in bits a byte."""
    total = len(value)
    if not total:
        return 0.0
    counts = map(value.count, set(value))  # twice as fast as a Counter at the length of a key
    if total < len(_TABLE):
        weight = sum([_TABLE[count] for count in counts])
    else:
        weight = sum([count * math.log2(count) for count in counts])
    return max(0.0, math.log2(total) - weight / total)


def estimated_bits(value: bytes) -> float:
    """Return how many bits a guesser has to find, at most: entropy of the bytes times their number."""
    return entropy(value) * len(value)


def _is_published(value: bytes) -> bool:
    from locum.detect.published import is_published  # 4 ms with OpenSSL: few texts hold what looks like a key

    return is_published(value)


def is_example(value: bytes) -> bool:
    """Say whether a value calls itself an example, as real ones do by accident."""
    return _EXAMPLE.search(value) is not None


def is_placeholder(value: bytes) -> bool:
    """Say whether a value stands for another one: a variable, a reference, an encrypted text, a documentation example."""
    lower = value.lower()
    if is_example(value) and (len(value) < _LONG or entropy(value) < 4.0):
        return True
    return _TELLING.search(lower) is not None or _STANDS_FOR_ANOTHER.match(value) is not None or _is_published(value)


def github_checksum(value: bytes) -> bool | None:
    """Check GitHub's tokens: the last six characters are the base-62 CRC-32 of the characters after the prefix.

    None when the value has not that form.
    """
    prefix, _, rest = value.partition(b"_")
    if len(prefix) != 3 or len(rest) != 36:
        return None
    number = zlib.crc32(rest[:-6])
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits.encode() == rest[-6:]


def jwt_structure(value: bytes) -> bool | None:
    """Check that the first part of a JSON Web Token is a JSON object that names its algorithm."""
    import base64  # 3 ms with json: few texts hold such a token
    import json

    head = value.partition(b".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    except (ValueError, RecursionError):  # not base64, not UTF-8, not JSON, or nested to hurt
        return False
    return isinstance(header, dict) and "alg" in header


CHECKS: dict[str, Callable[[bytes], bool | None]] = {"github": github_checksum, "jwt": jwt_structure, **CHECKSUMS}
"""Checks by the name that rules use: True proves, False disproves, None says nothing."""
CHECK_NAMES = {"github": "checksum", "jwt": "structure", **CHECKSUM_NAMES}
"""What a check looks at, for people."""
