"""Generic secrets: a name that speaks of a secret, and a value that looks like one. Pure.

Where a provider's format says nothing, three things decide together: what the name promises (a password, a secret, some
key), how the value looks (`values`), and how it is written (quoted, alone on its line, in code or in a configuration file).
What is left in doubt is `low`: a hint in an editor, never a failed scan.
"""

from __future__ import annotations

from locum.detect.checks import entropy, is_placeholder
from locum.detect.finding import Confidence
from locum.detect.names import GETTERS, words
from locum.detect.values import is_code, is_hex, is_plain, is_sequence, is_uuid, looks_made, names_itself, randomness
from locum.text.expression import lazy

Judgement = tuple[Confidence, str]

_PASSWORD = lazy(
    rb"(?i)passw|pwd|passphrase|passcode|(?:^|[_.-])pw$|(?:^|[^a-z])pass(?:[^a-z]|$)|[a-z]Pass(?:[^a-z]|$)|pass$"
)
_STRONG = frozenset(
    b"""api apikey access private secret auth encrypt encryption encrypted signing sign master account client license service
    shared app admin token tokens credential credentials bearer oauth hmac jwt cookie session webhook deploy push server
    """.split()
)
"""Words that make a key a secret one; without any it may be a key into a table."""
_CODE = lazy(
    r"(?i)\.(?:py|pyi|js|mjs|cjs|jsx|ts|tsx|mts|cts|vue|svelte|go|rs|java|kt|kts|scala|groovy|gradle|cs|fs|vb|c|h|cc|cpp|cxx|hpp|m|mm"
    r"|swift|rb|php|pl|pm|lua|dart|ex|exs|erl|hs|clj|r|jl|sol|sql|ps1|psm1|tf|hcl|nix|zig|coffee|css|scss|html?)$"
)
_LETTER = lazy(rb"[A-Za-z]")
_MIXED = lazy(rb"[0-9]|[^A-Za-z0-9_.:/\s-]")
_SIGN = lazy(rb"[^A-Za-z0-9_.:/\s-]")
_BASE64 = lazy(rb"[A-Za-z0-9+/]{6,400}={0,2}")
_READABLE = lazy(rb"[\x20-\x7e]{4,}")
_ENDS_A_SETTER = frozenset(
    b"password passwd passphrase pwd pass secret token key apikey credential credentials auth header bearer jwt".split()
)
_SPEAKS_OF_ITSELF = lazy(rb"(?i)passw|pwd|secret|token|changeme|qwert|letmein|1234|abcd")
_HASHED = lazy(
    rb"(?i)\$(?:2[abxy]|apr1|[156y]|argon2\w*|scrypt|pbkdf2[\w-]*|P|H)\$|\{?(?:ssha\d*|sha\d*|md5|bcrypt|pbkdf2|scrypt|crypt)[:}]"
)
_MASKS = bytes.maketrans(b"@0$135!", b"aosieei")
"""How people spell words with signs."""
_ODD = lazy(rb"[^A-Za-z0-9_.:/+=~-]")
"""What the alphabets of keys leave out: a key has none of them, or, made by a framework from all signs there are, many."""
_LANGUAGE = lazy(rb"[(){}<>\[\];]|\$\w|&&|\|\||=>|::|%[sdv]\b|\\[dwsux]|\.\*")
"""Pieces of code, patterns and formats that no machine-made key holds."""
_PATTERN = lazy(rb"A-Za-z|a-zA-Z|0-9A-Z|A-Z0-9|a-z0-9|0-9a-f|\(\?[:P=!<]|\]\{\d")
"""What only a regular expression says."""


def is_code_file(path: str) -> bool:
    """Say whether an unquoted word in a file of this name is an expression rather than text."""
    return _CODE.search(path) is not None


def is_password(name: bytes) -> bool:
    """Say whether a name promises what a person types, which may be short and made of words."""
    return _PASSWORD.search(name) is not None


def judge(
    name: bytes, value: bytes, *, quoted: bool, alone: bool, code: bool, operator: bytes = b"="
) -> Judgement | None:
    """Say how sure it is that `value`, assigned to `name`, is a secret, and why; None when it is surely none.

    `quoted`: a string of the language; `alone`: nothing but a comment follows on the line; `code`: the file is a program.
    """
    if (code and not quoted) or is_placeholder(value) or names_itself(value) or not _may_follow(operator, name, value):
        return None
    if encodes_words(value):
        return None
    if is_password(name):
        return _password(name, value, quoted=quoted, alone=alone)
    return _secret(name, value, bare=not quoted and not alone)


def _may_follow(operator: bytes, name: bytes, value: bytes) -> bool:
    """Say whether the operator gives the value to the name: a call and a list do when they look like it."""
    if operator not in {b"(", b",", b"|", b"||"}:
        return True
    parts = words(name)
    return parts[-1] in _ENDS_A_SETTER and GETTERS.isdisjoint(parts) and not is_plain(value) and not is_code(value)


def encodes_words(value: bytes) -> bool:
    """Say whether a value is base64 of words: `ZXhhbXBsZS1hcHAtc2VjcmV0`, which people write in examples."""
    if len(value) < 8 or len(value) % 4 == 1 or not _BASE64.fullmatch(value):
        return False
    import binascii  # C, and no import of ours

    try:
        text = binascii.a2b_base64(value + b"=" * (-len(value) % 4))
    except ValueError:
        return False
    return _READABLE.fullmatch(text) is not None and (is_plain(text) or is_code(text) or is_placeholder(text))


def _password(name: bytes, value: bytes, *, quoted: bool, alone: bool) -> Judgement | None:
    if b" " in value:
        phrase = b"phrase" in name.lower() and quoted and value.count(b" ") >= 2 and value.islower()
        return ("low", "words, as in a pass phrase") if phrase else None
    if not quoted and not alone and not looks_made(value):
        return None
    if value.isdigit():
        return ("low", "digits") if quoted and len(value) >= 4 else None
    if not _MIXED.search(value):
        return _word_as_password(value, quoted=quoted)
    return _mixed_password(value)


def _word_as_password(value: bytes, *, quoted: bool) -> Judgement | None:
    """Judge letters and separators only."""
    word = quoted and value.isalpha() and value.islower() and len(value) >= 6
    if is_plain(value) and not word:
        return None
    if randomness(value) >= 0.5 and len(value) >= 8:
        return "medium", "looks random"
    return ("low", "a plain word") if word else None


def _mixed_password(value: bytes) -> Judgement | None:
    """Judge what has letters and digits or signs, as a good password has."""
    if (
        not _LETTER.search(value)
        or len(value) < 5
        or value.startswith(b"-")
        or value.endswith(b"@")
        or is_language(value)
    ):
        return None
    if speaks_of_itself(value):
        return "low", "speaks of itself"
    if _HASHED.match(value):
        return "low", "a hash of a password"
    if is_uuid(value) or (is_hex(value) and len(value) >= 32):
        return "low", "may be an identity or a digest"
    if is_code(value) and not _SIGN.search(value):
        return None if randomness(value) < -0.2 else ("low", "words and digits")
    return None if is_plain(value) else ("medium", "looks like a password")


def _secret(name: bytes, value: bytes, *, bare: bool) -> Judgement | None:
    if len(value) < 8 or b" " in value or is_plain(value) or is_code(value) or is_language(value):
        return None
    strong = not _STRONG.isdisjoint(words(name)) or b"apikey" in name.lower()
    if is_uuid(value):
        return ("low", "may be an identity") if strong else None
    if is_hex(value):
        if len(value) < 20:
            return None
        return ("medium", "looks random") if strong and len(value) >= 32 and not bare else ("low", "may be a digest")
    if is_sequence(value):
        return ("low", "counts up") if strong else None
    signs = len(_ODD.findall(value))
    if 0 < signs < 3:
        return (
            ("low", "letters and signs")
            if strong and not bare and looks_made(value) and b"secret" in name.lower()
            else None
        )
    if looks_made(value):
        return ("medium", "looks random") if strong and len(value) >= 12 and not bare else ("low", "looks random")
    if (
        strong
        and not bare
        and len(value) >= 10
        and _MIXED.search(value)
        and randomness(value) >= 0.0
        and entropy(value) >= 2.5
    ):
        return "low", "letters and digits"
    return None


def speaks_of_itself(value: bytes) -> bool:
    """Say whether a value is made of the word for it, however spelt: `P@ssw0rd!1`, `someS3cr3tT0ken`."""
    return (
        _SPEAKS_OF_ITSELF.search(value) is not None
        or names_itself(_unmasked(value))
        or _SPEAKS_OF_ITSELF.search(value.translate(_MASKS)) is not None
    )


def _unmasked(value: bytes) -> bytes:
    """Spell `P@ssw0rd!1` as the word that it is made of."""
    return value.rstrip(b"!.0123456789#@$?").translate(_MASKS)


def is_language(value: bytes) -> bool:
    """Say whether a value holds code and is not random enough to hold it by chance."""
    return _PATTERN.search(value) is not None or (_LANGUAGE.search(value) is not None and randomness(value) < 0.6)
