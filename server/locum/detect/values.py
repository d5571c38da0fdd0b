"""Does a value look like one that somebody keeps secret? Looks at the value's bytes only, never at where it stands. Pure.

A value made by a machine is told from words by its pairs of letters and by how often letters and digits take turns; that
works from eight characters on, and for small alphabets too, where entropy alone does not.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

from locum.detect.checks import entropy, is_placeholder
from locum.text.expression import lazy

_COMMON = frozenset(
    b"""ab ac ad ag ai ak al am an ap ar as at au av ay ba be bi bl bo bs bu ca cc ce ch ci ck cl co cr ct cu da dd de di dl do
    dr ds du ea ec ed ee ef eg el em en ep er es et ev ew ex fa fe ff fi fl fo fr fu ge gi gn gr gs ha he hi ho ia ib ic id ie
    if ig il im in io ip ir is it iv ix iz ke ki ks la ld le li ll lo ls lt lu ly ma mb me mi mo mp ms mu na nc nd ne nf ng ni
    nn no ns nt nu nv ob oc od og ok ol om on oo op or os ot ou ov ow pa pe pi pl po pp pr ps pt pu py qu ra rc rd re rg ri rl
    rm rn ro rr rs rt ru ry sa sc se sh si sl so sp ss st su sy ta tc te th ti tl to tp tr ts tt tu ty ua ub uc ue ui ul um un
    up ur us ut va ve vi wa we wi wr xe xp xt yp ze""".split()
)
"""The 220 most frequent pairs of letters in the identifiers and prose of the Python standard library (counted by us): nine
pairs of ten in words, one of three in random letters."""
_WORDLIKE, _RANDOMLIKE = -1.0, 2.0
"""Logarithms of how much likelier a common and an uncommon pair are in words than at random, rounded."""
_TURN = 1.5
"""What a change between letter and digit weighs: words have few."""

_NO_SECRET = lazy(
    rb"""(?xs)
    [A-Za-z][a-z]*+(?:[ ._/:-][A-Za-z][a-z]*+)*+ | [A-Z]++(?:[_.-][A-Z]++)*+   # my-secret, SOME_NAME
    | [A-Za-z][a-z]++(?:[A-Z][a-z]++)++   # getToken, SecretBytes
    | [\^~<>=v]*\d+(?:\.\d+)+\S{0,40} | \d{4}-\d\d-\d\d\S* | -?\d+   # versions, days
    | .*[\x00-\x1f\x7f].*
    """
)
_CALL_OR_PATH = lazy(
    rb"""(?x)^(?: \.{0,2}/[\w.-]+/ | ~/ | [A-Za-z]:\\ | [\w.]+\( | [#@][\w-]+$ | \$\w*[.>{(\[] )
    | \(\) | \.(?:py|js|ts|go|rs|java|json|ya?ml|toml|txt|pem|key|crt|cer|md|html?|xml|php|sh|cfg|conf|ini|png|svg|css)$"""
)
_CODE = lazy(
    rb"""(?x)
    [A-Za-z_$]\w*+(?:(?:\.|::|->|\[-?\d+\])++[A-Za-z_]\w*+)++   # parsedUrl.password, Jobs[-1].JobId
    | [A-Za-z]?[a-z]++(?:[A-Z]+[a-z]++){2,}+\w{0,3}             # FlowPasswordRequiredResultV2
    | [A-Za-z]{1,12}+\d{0,3}+(?:[_-][A-Za-z]{1,12}+\d{0,3}+){2,}+   # token_sha256_to_refresh
    """
)
_HEX = lazy(rb"[0-9a-f]+|[0-9A-F]+")
_UUID = lazy(rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_OWN_NAMES = lazy(
    rb"(?i)(?:my|the|your|user|db|root|admin|some|new|old|bad|wrong|test|default|super|top|very|a)?[-_ ]?"
    rb"(?:password|passwd|passwort|passphrase|passw|pass|pwd|pw|secret|token|key|api[-_]?key|credentials?|admin|root|user|guest|login)"
    rb"(?:s|word|[-_ ]?key|[-_ ]?token|[-_ ]?value|[-_ ]?here)?[-_ ]?\d{0,4}!?"
)
"""What people write where a secret would stand."""
_DUMMIES = lazy(
    rb"(?i)(?:foo|bar|baz|qux|test|testing|tests|tester|dummy|fake|mock|none|null|nil|true|false|undefined|string|str|text|bytes|"
    rb"any|hidden|empty|unset|todo|tbd|n/?a|value|changeit|hello|world|abc|xyz|lorem|ipsum|demo|example|sample|stub|invalid|"
    rb"wrong|unknown|optional|required|prompt|stdin|auto|default|disabled|enabled)(?:[-_ ]?\w{0,4})?"
)
_CODES = bytes(b - 95 if 97 <= b <= 122 else b - 37 if 65 <= b <= 90 else 1 if 48 <= b <= 57 else 0 for b in range(256))
_KINDS = bytes(97 if 97 <= b <= 122 else 65 if 65 <= b <= 90 else 48 if 48 <= b <= 57 else 46 for b in range(256))
"""Each byte's kind: small letter, capital, digit, other."""


def is_plain(value: bytes) -> bool:
    """Say whether a value is surely none of its own: words, a version, a path, a call, a placeholder."""
    return (
        _NO_SECRET.fullmatch(value) is not None
        or len(set(value.translate(_KINDS))) < 2
        or _CALL_OR_PATH.search(value) is not None
        or is_path(value)
        or is_placeholder(value)
    )


def names_itself(value: bytes) -> bool:
    """Say whether a value is only a word for what should stand there: `user:password@host`, `my-secret-key`, `test123`."""
    return _OWN_NAMES.fullmatch(value) is not None or _DUMMIES.fullmatch(value) is not None


def is_path(value: bytes) -> bool:
    """Say whether a value is a path or a locator: more slashes than base64 has by chance, or some and dots."""
    slashes = value.count(b"/")
    return slashes >= 2 and (slashes * 16 > len(value) or b"." in value)


def is_code(value: bytes) -> bool:
    """Say whether a value is made of words as identifiers, constants and paths are, rather than at random."""
    return randomness(value) < 0.25 and (_CODE.fullmatch(value) is not None or randomness(value) < -0.2)


def randomness(value: bytes) -> float:
    """Return how much a value looks made by a machine, by character: about 1 for random letters and digits, below 0 for words."""
    if len(value) < 2:
        return 0.0
    weights = _weights()
    codes = value.translate(_CODES)
    return sum([weights[before][after] for before, after in pairwise(codes)]) / (len(value) - 1)


@cache
def _weights() -> list[list[float]]:
    """Return what each pair of codes weighs, made once: 0 is a sign, 1 a digit, 2 to 27 small letters, 28 to 53 capitals."""

    def weight(before: int, after: int) -> float:
        if 0 in (before, after) or before == after == 1:
            return 0.0
        if 1 in (before, after):
            return _TURN
        if before < 28 and after >= 28:
            return 0.4  # a hump of a name, at most
        letters = bytes((97 + (before - 2) % 26, 97 + (after - 2) % 26))
        return _WORDLIKE if letters in _COMMON else _RANDOMLIKE

    return [[weight(before, after) for after in range(54)] for before in range(54)]


def is_sequence(value: bytes) -> bool:
    """Say whether a value counts up, as nobody's own does: `abc123def456`."""
    steps = [after - before for before, after in pairwise(value)].count(1)
    return steps * 5 > len(value) * 2


def is_hex(value: bytes) -> bool:
    """Say whether a value is hexadecimal: a digest or a commit as well as a key."""
    return _HEX.fullmatch(value) is not None


def is_uuid(value: bytes) -> bool:
    """Say whether a value is a UUID: an identity as well as a key."""
    return _UUID.fullmatch(value) is not None


def looks_made(value: bytes) -> bool:
    """Say whether a value looks made by a machine to be secret: long enough, mixed, and no words."""
    if len(value) < 16:
        return len(value) >= 10 and randomness(value) >= 0.7 and entropy(value) >= 2.8
    return entropy(value) >= 2.9 and randomness(value) >= 0.3
