"""What a value is called: the name it is assigned to on its line, and how an environment variable spells that.

A name is copied into findings, so what looks like a secret itself is no name (promise P1).
"""

from __future__ import annotations

import re

from locum.detect.checks import entropy
from locum.text.expression import lazy

_BEFORE = 200
"""Bytes before a value in which its name is looked for."""
# Read from the value towards the beginning of its line, so that each step is a match in one place, never a search.
_OPERATOR = lazy(
    rb"""["'`]{0,3}(?:(?<=["'`])[A-Za-z@$]{0,2})?[ \t]{0,8}
    ( >=|={2,3}|={1,2}!|=:{0,2}[?|]{0,2}|:|,|\(|[ \t]?\|(?=[ \t"])|[ \t]-(?=[ \t])|> )
    [ \t]{0,12}\]?["'`]?""",
    re.VERBOSE,
)
_TYPE = lazy(rb"[A-Za-z0-9_\[\]|., <>?]{1,40}:[ \t]{0,4}|(?:gnirts|gnirtS|rtS&|rahc)[ \t]+")
_NAME = lazy(rb"[A-Za-z0-9_$.-]{1,80}")
_WORD = lazy(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_DIGITS = lazy(rb"\d+")
_HUMP = lazy(r"([a-z0-9])([A-Z])")
_NO_LETTER = lazy(r"[^A-Za-z0-9]+")
_URL_ENDING = lazy(rb"(?i)[_-]?(?:url|uri|dsn)$")
_CONFIGURATION = lazy(r"(?:^|/)\.env[^/]*$|\.(?:env|ya?ml|json|jsonc)$")
_LONGEST = 64

NOT_OF_A_VALUE = frozenset(
    b"""url uri path file filename dir name names id ids type types field label header headers regex pattern prefix suffix
    length len count size limit expiry expires expiration ttl policy format hint placeholder message msg error help title
    description algorithm alg arn class manager store provider endpoint env var variable ref version index enabled
    required validator rule rules schema hash digest fingerprint kind mode status state script parser""".split()
)
"""Last words of names that speak of a secret and hold none: `password_file`, `tokenUrl`."""
NOT_SECRET = frozenset(
    b"publickeytoken nexttoken nextpagetoken pagetoken continuationtoken synctoken cancellationtoken".split()
)
"""Whole names, without separators and in lower case, of what is called a token and is none."""
OTHERWISE = frozenset(
    b"""public authenticity csrf xsrf max min num nb
    mock fake dummy placeholder keyboard keyword keywords keymap tokenize tokenizer tokenized
    invalid wrong bad bogus non unknown
    foreign primary partition sort cache hot shortcut translation locale i18n column index fingerprint checksum""".split()
)
"""Words that say of a name that it is no secret, wherever they stand in it: `publicToken`, `maxTokens`, `primaryKey`."""
QUESTIONS = frozenset(
    b"is has have no not with without show hide use uses enable disable allow require requires forgot reset change".split()
)
"""First words of names of choices and actions: `isPassword`, `showToken`."""
GETTERS = frozenset(
    b"get fetch read find lookup load delete remove list exists encode decode check validate parse".split()
)
"""Words of functions that are given a secret's name, not its value: `get_password("system")`, `password.encode("utf-8")`."""
_VAGUE = frozenset(
    "KEY TOKEN VALUE SECRET AUTH AUTHORIZATION DATA HEADERS BEARER PASSWORD URL API_KEY".split()  # noqa: SIM905
)
"""Names that say less than a rule's own."""


def assigned_name(data: bytes, start: int) -> tuple[bytes, int]:
    """Return the name that the value at `start` is assigned to on its line, and where the name begins; else (b"", start).

    Sees `name = "`, `"name": "`, `name: str = "`, `name => "`, `["name"] = "`, `name("`, `"name", "`.
    """
    return assignment(data, start)[:2]


def assignment(data: bytes, start: int) -> tuple[bytes, int, bytes]:
    """Return what `assigned_name` does, and the operator between name and value as it is written, without blanks."""
    line = data.rfind(b"\n", max(0, start - _BEFORE), start) + 1
    end = start
    if line and not data[line:start].strip():  # an element's text on a line of its own
        above = data[max(0, line - _BEFORE) : line].rstrip()
        if above.endswith(b">"):
            end = max(0, line - _BEFORE) + len(above)
            line = data.rfind(b"\n", max(0, end - _BEFORE), end) + 1
    first = max(line, end - _BEFORE)
    before = data[first:end][::-1]
    operator = _OPERATOR.match(before)
    if operator is None:
        return b"", start, b""
    position = operator.end()
    if b"=" in operator[0]:
        annotation = _TYPE.match(before, position)
        position = annotation.end() if annotation else position
    found = _NAME.match(before, position)
    if found is None:
        return b"", start, b""
    name = found[0][::-1]
    stripped = name.lstrip(b"0123456789.-$")
    return stripped, end - found.end() + len(name) - len(stripped), operator[1][::-1].strip()


def url_name(data: bytes, start: int, path: str) -> tuple[bytes, int]:
    """Name the password at `start` in a URL after what the whole URL is assigned to; answer as `assigned_name` does.

    In code DATABASE_URL gives DATABASE_PASSWORD, since the rest of the URL stays there. In a configuration file the whole
    value becomes a reference, and so keeps its own name.
    """
    scheme = data.rfind(b"://", max(0, start - 120), start)
    while scheme > 0 and (data[scheme - 1 : scheme].isalnum() or data[scheme - 1] in b"+-."):
        scheme -= 1
    name, place = assigned_name(data, scheme)
    if _CONFIGURATION.search(path):
        return name, place
    base = _URL_ENDING.sub(b"", name)
    return (base + b"_PASSWORD" if base else b""), place


def is_name(name: bytes) -> bool:
    """Say whether a name may be shown: a key that is itself random (`{"9f3a…": "…"}`) may not."""
    if len(name) > _LONGEST:
        return False
    return len(name) < 12 or (len(_DIGITS.findall(name)) <= 2 and (len(name) < 20 or entropy(name) <= 4.2))


def words(name: bytes) -> list[bytes]:
    """Split a name into its words, in lower case: `dbPassword_2` gives db, password, 2."""
    return [word.lower() for word in _WORD.findall(name)]


def holds_a_value(name: bytes) -> bool:
    """Say whether something of this name may hold a secret itself, rather than its place, kind or lifetime."""
    parts = words(name)
    if not parts or parts[-1] in NOT_OF_A_VALUE or not OTHERWISE.isdisjoint(parts) or parts[0] in QUESTIONS:
        return False
    return b"".join(parts) not in NOT_SECRET


def variable(name: bytes, rules_own: str, *, generic: bool) -> str:
    """Spell a name as an environment variable: `stripeKey` becomes STRIPE_KEY.

    The rule's own name when that says more: a token of a known format that is assigned to `token` is a GITHUB_TOKEN.
    """
    text = name.decode("ascii", "ignore").rpartition(".")[2]
    text = _NO_LETTER.sub("_", _HUMP.sub(r"\1_\2", text)).strip("_").upper()[:_LONGEST]
    says_little = len(text) < 3 or text[0].isdigit() or (text in _VAGUE and not generic)
    return rules_own if says_little else text
