"""Layer 3: does a candidate look like a real value? Entropy, placeholders, checksums, structure. Looks at bytes only."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable

from locum.detect.selectors import trie_pattern

_STANDS_FOR_ANOTHER = re.compile(
    rb"""(?xi)
    (?: <.*> | \[.*\] | \$\w+ | %\w+% | \{[^}]*\} | %\(\w+\)s | @\w+@ | __\w+__ )$
    | (?: locum | op | ref\+\w+ | keyring | pass | vault | secret | ssm | env | file | https? ):// | arn:
    | [^{]*\{[A-Za-z_][\w.]*\}
    | (?: todo | tbd | fixme | none | null | nil | undefined | true | false )$
    | (?: test | fake | mock )[-_ ]? | (.)\1+$ | (?: abc | 123 | 12345678 | qwerty )\d*$
    """
)
"""Whole values, or how they begin."""
_TELLING_PARTS = (
    b"${", b"$(", b"{{", b"}}", b"process.env", b"os.environ", b"getenv", b"secrets.", b"config.", b"...", b"\xe2\x80\xa6",
    b"xxxx", b"****", b"----", b"____", b"00000000", b"abcdefgh", b"12345678", b"changeme", b"change-me", b"change_me",
    b"replaceme", b"replace-", b"replace_", b"your-", b"your_", b"yourkey", b"yourtoken", b"yoursecret", b"yourpass",
    b"my-secret", b"mysecret",
    b"my_secret", b"insert-", b"insert_", b"enter-", b"enter_", b"paste-", b"-here", b"_here", b"placeholder", b"dummy",
    b"redacted", b"fillme", b"sample", b"example", b"enc[", b"encrypted:", b"$ansible_vault", b"vault:v",
)  # fmt: skip
"""Parts, in lower case, that a value made by a machine is unlikely to hold."""
_TELLING = re.compile(trie_pattern(set(_TELLING_PARTS)))

PUBLISHED = frozenset((b"AKIA" + b"IOSFODNN7EXAMPLE", b"wJalrXUtnFEMI/K7MDENG/bPxRfi" + b"CYEXAMPLEKEY"))
"""Values that vendors print in their documentation."""

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


def is_placeholder(value: bytes) -> bool:
    """Say whether a value stands for another one: a variable, a reference, an encrypted text, a documentation example."""
    lower = value.lower()
    return value in PUBLISHED or _TELLING.search(lower) is not None or _STANDS_FOR_ANOTHER.match(value) is not None


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


CHECKS: dict[str, Callable[[bytes], bool | None]] = {"github": github_checksum, "jwt": jwt_structure}
"""Checks by the name that rules use: True proves, False disproves, None says nothing."""
CHECK_NAMES = {"github": "checksum", "jwt": "structure"}
"""What a check looks at, for people."""

_NO_SECRET = re.compile(
    rb"""(?xs)
    [A-Za-z][a-z]*+(?:[._/:-][A-Za-z][a-z]*+)*+ | [A-Z]++(?:[_.-][A-Z]++)*+   # my-secret, SOME_NAME
    | [A-Za-z][a-z]++(?:[A-Z][a-z]++)++   # getToken, SecretBytes
    | [\^~<>=v]*\d+(?:\.\d+)+\S* | \d{4}-\d\d-\d\d\S* | -?\d+   # versions, days
    | .*[\x00-\x20\x7f].*   # sentences
    """
)
_CALL_OR_PATH = re.compile(
    rb"""(?x)^(?: \.{0,2}/ | ~/ | [A-Za-z]:\\ | [\w.]+\( | [#@$] ) | \(\)
    | \.(?:py|js|ts|go|rs|java|json|ya?ml|toml|txt|pem|key|md|html?)$"""
)
_CODE = re.compile(
    rb"""(?x)
    [A-Za-z_]\w*+(?:(?:\.|::|->|\[-?\d+\])++[A-Za-z_]\w*+)++   # parsedUrl.password, Jobs[-1].JobId
    | [A-Za-z]?[a-z]++(?:[A-Z]+[a-z]++){2,}+\w{0,3}            # FlowPasswordRequiredResultV2
    | [A-Za-z]{1,12}+\d{0,3}+(?:[_-][A-Za-z]{1,12}+\d{0,3}+){2,}+   # token_sha256_to_refresh
    """
)
_WORD = re.compile(rb"[A-Za-z][a-z]{3,}")
_OWN_NAMES = frozenset(b"password passwd passwort pass passw pwd pw passphrase secret token key".split())
"""What people write where a password would stand."""
_SHORT_HEX = re.compile(rb"[0-9a-fA-F]{1,23}")
_UUID = re.compile(rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_DIGIT = re.compile(rb"\d")
_KINDS = bytes(97 if 97 <= b <= 122 else 65 if 65 <= b <= 90 else 48 if 48 <= b <= 57 else 46 for b in range(256))
"""Each byte's kind: small letter, capital, digit, other."""


def is_plain(value: bytes) -> bool:
    """Say whether a value is surely none of its own: words, a version, a sentence, a path, a call, a placeholder."""
    return (
        _NO_SECRET.fullmatch(value) is not None
        or len(set(value.translate(_KINDS))) < 2
        or _CALL_OR_PATH.search(value) is not None
        or is_placeholder(value)
    )


def names_itself(value: bytes) -> bool:
    """Say whether a value is only a word for what should stand there: `user:password@host`."""
    return value.lower() in _OWN_NAMES


def is_code(value: bytes) -> bool:
    """Say whether a value is made of words as identifiers and constants are, rather than at random."""
    if not _CODE.fullmatch(value):
        return False
    digits = len(_DIGIT.findall(value))
    words = sum(map(len, _WORD.findall(value)))
    return digits * 6 <= len(value) <= words * 2


def looks_random(value: bytes, *, password: bool) -> bool:
    """Say whether a value that is not `is_plain` looks made to be secret, in a place that speaks of secrets.

    Machine-made keys mix letters and digits; passwords of people (`password`) are shorter and need less.
    """
    if is_code(value):
        return False
    if password:
        return entropy(value) >= 2.5
    return (
        len(value) >= 12
        and _DIGIT.search(value) is not None
        and entropy(value) >= 3.3
        and not _SHORT_HEX.fullmatch(value)
        and not _UUID.fullmatch(value)
    )
