"""The grammar of inline markers: what people already write to silence a finding, ours and other tools'.

Reads one marker at a place that layer 1 saw. Knows nothing of lines beyond the marker's own, of findings or of dates
except the day that it is given. Where a convention names rules, a marker speaks of those alone: ours by our rule ids,
other tools' by the services that their ids are called after; a marker that names no rule speaks of all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from locum.text.expression import lazy

ANCHORS = (
    "locum:allow", "gitleaks:allow", "betterleaks:allow", "trufflehog:ignore", "kingfisher:ignore", "kingfisher:allow",
    "infisical-scan:ignore", "ggignore", "pragma: allowlist", "pragma:allowlist", "pragma: whitelist", "pragma:whitelist",
    "secretlint-disable", "secretlint-enable", "nosemgrep:", "checkov:skip=", "no-secrets/", "eslint-enable",
)  # fmt: skip
"""Lower-case literals, one of which stands at or in every marker. `noqa` and `nosec` are too common to be looked for: see
`python_marker`."""

Scope = Literal["line", "next", "line-or-next", "around", "start", "end", "file"]
"""`line`: the marker's own. `next`: the one after it. `line-or-next`: its own, and the one after it when the marker stands
alone on its line; `around`: then those on both sides. `start` and `end` enclose a block; `file` is all of the text."""
Which = Callable[[str, bool], bool]
"""Whether a rule (its id, and whether it knows a secret by its name alone) is meant."""

_TAIL = 400
"""Bytes behind a marker in which its options are looked for."""

_PLAIN = lazy(
    rb"(?i)(?:((?:git|better)leaks:allow|(?:trufflehog|infisical-scan):ignore|kingfisher:(?:ignore|allow))(?!\w|-\w)"
    rb"|(?<![\w-])(ggignore)(?!\w|-(?:start|end)))"
)
_PRAGMA = lazy(rb"(?i)pragma: ?((?:allow|white)list)[ -](nextline[ -])?secret(?![\w-])")
_LOCUM = lazy(rb"(?i)locum:allow(-next-line|-start|-end|-file)?(?!\w|-\w)(?:(\[)([^\]\r\n]{0,1000}\])?)?")
_UNTIL = lazy(rb"\suntil=(\d{4}-\d\d-\d\d(?!\d))?")
_REASON = lazy(rb"\s--\s")
_SECRETLINT = lazy(rb"(?i)secretlint-(disable-next-line|disable-line|disable|enable)(?!\w|-\w)")
_SECRETLINT_ID = lazy(rb"(?:@[\w-]+/)?secretlint-rule-([\w-]+)|@[\w-]+/([\w-]+)")
_NOSEMGREP = lazy(rb"(?i)nosemgrep:[ \t]?([\w./-]+(?:[ \t]*,[ \t]*[\w./-]+)*)")
_CHECKOV = lazy(rb"(?i)checkov:skip=([\w,]+)")
_CHECKOV_SECRET = lazy(rb"(?i)\bCKV_SECRET_(\d{1,4})\b")
_ESLINT = lazy(rb"eslint-(disable-line|disable-next-line|disable|enable)(?![\w-])")
_ESLINT_RULE = lazy(rb"no-secrets/no-(?:secrets|pattern-match)(?![\w-])")
_NOQA = lazy(rb"(?i)#\s*noqa:\s*([A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)")
_NOSEC = lazy(rb"(?i)#\s*nosec\b:?([^#]*)")
_BANDIT_ID = lazy(rb"\bB\d{3}\b")
_PASSWORD_CODES = {b"S105", b"S106", b"S107"}
_BANDIT_PASSWORDS = lazy(rb"\bB10[567]\b|\bhardcoded_password_")

_ALIASES = {  # what other tools call a service: the words of our rule ids
    "basicauth": {"url", "basic"}, "privatekey": {"private", "ssh", "pgp", "putty"}, "gcp": {"google", "gcp"},
    "google": {"google", "gcp"}, "1password": {"1password", "onepassword"}, "jfrog": {"artifactory", "jfrog"},
    "artifactory": {"artifactory", "jfrog"}, "database": {"url", "database"}, "k8s": {"kubernetes", "k8s"},
}  # fmt: skip
_CHECKOV_SERVICES = {
    1: "artifactory", 2: "aws", 3: "azure", 4: "basicauth", 5: "cloudant", 7: "ibm", 8: "ibm", 9: "jwt", 11: "mailchimp",
    12: "npm", 13: "privatekey", 14: "slack", 15: "softlayer", 16: "square", 17: "stripe", 18: "twilio",
}  # fmt: skip
_CHECKOV_GENERIC = {6, 10, 19}
"""High entropy, and names that say secret."""
_ABOUT_SECRETS = {
    "secret",
    "secrets",
    "password",
    "passwords",
    "passwd",
    "credential",
    "credentials",
    "token",
    "hardcoded",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One marker: how it is called in counts, what it covers, and which rules it means (None: all)."""

    mechanism: str
    scope: Scope
    which: Which | None = None
    names: frozenset[str] = frozenset()
    """What the marker names, as it is written: a block of these ends where their names are said again."""
    begin: int = -1
    """Where it begins, if that is before its anchor."""

    def means(self, rule: str, *, generic: bool) -> bool:
        """Say whether the marker speaks of a rule."""
        return self.which is None or self.which(rule, generic)


def mark_at(data: bytes, place: int, line: int, today: date | None) -> Mark | None:
    """Read the marker whose anchor stands at `place`, on the line that begins at `line`; None when it is none.

    One that has expired is none; so is one that expires when `today` is None, since nobody can tell.
    """
    first = data[place : place + 2].lower()
    if first == b"lo":
        return _locum(data, place, today)
    if first == b"pr":
        return _pragma(data, place, line)
    if first == b"se":
        return _secretlint(data, place)
    if first in {b"no", b"es", b"ch"}:
        return _linter(data, place, line)
    match = _PLAIN.match(data, place)
    return Mark((match[1] or match[2]).decode("ascii").lower(), "line") if match else None


def python_marker(line: bytes) -> str:
    """Return how a line of Python silences rules that know a password by its name, "" when it does not.

    `noqa` counts with the codes for passwords alone; `nosec` with those, or with none.
    """
    codes = _NOQA.search(line)
    if codes is not None and _PASSWORD_CODES & set(re.split(rb"[,\s]+", codes[1].upper())):
        return "noqa"
    ids = _NOSEC.search(line)
    if ids is not None and (_BANDIT_PASSWORDS.search(ids[1]) or not _BANDIT_ID.search(ids[1])):
        return "nosec"
    return ""


def _locum(data: bytes, place: int, today: date | None) -> Mark | None:
    match = _LOCUM.match(data, place)
    if match is None or (match[2] and not match[3]):
        return None
    options = _REASON.split(_rest(data, match.end()), 1)[0]
    until = _UNTIL.search(options)
    if until is not None and not _is_ahead(until[1], today):
        return None
    form = (match[1] or b"").decode("ascii").lower()
    scopes: dict[str, Scope] = {"": "line", "-next-line": "next", "-start": "start", "-end": "end", "-file": "file"}
    ids = frozenset(name.strip() for name in match[3][:-1].decode("utf-8", "replace").split(",")) if match[2] else None
    return Mark(f"locum:allow{form}", scopes[form], None if ids is None else lambda rule, _: rule in ids)


def _is_ahead(day: bytes | None, today: date | None) -> bool:
    try:
        return day is not None and today is not None and today <= date.fromisoformat(day.decode("ascii"))
    except ValueError:  # the 31st of June
        return False


def _pragma(data: bytes, place: int, line: int) -> Mark | None:
    match = _PRAGMA.match(data, place)
    if match is None:
        return None
    word = match[1].decode("ascii").lower()
    if not match[2]:
        return Mark(f"pragma: {word} secret", "line")
    return Mark(f"pragma: {word} nextline secret", "next") if stands_alone(data, line, place) else None


def _secretlint(data: bytes, place: int) -> Mark | None:
    match = _SECRETLINT.match(data, place)
    if match is None:
        return None
    form = match[1].decode("ascii").lower()
    scopes: dict[str, Scope] = {
        "disable": "start",
        "enable": "end",
        "disable-line": "line",
        "disable-next-line": "next",
    }
    names = [ours or theirs for ours, theirs in _SECRETLINT_ID.findall(_REASON.split(_rest(data, match.end()), 1)[0])]
    which = None
    if names and not any(name.startswith(b"preset") for name in names):
        words = frozenset(word for name in names for word in _words(name))
        which = _of_services(words, generic="pattern" in words)
    return Mark(f"secretlint-{form}", scopes[form], which, frozenset(name.decode("ascii", "replace") for name in names))


def _linter(data: bytes, place: int, line: int) -> Mark | None:
    """Read what semgrep, checkov and ESLint are told about secrets."""
    match = _NOSEMGREP.match(data, place)
    if match is not None:
        names = [frozenset(_words(name)) for name in match[1].split(b",")]
        words = frozenset(word for name in names if name & _ABOUT_SECRETS for word in name)
        return Mark("nosemgrep", "line-or-next", _of_services(words, generic=True)) if words else None
    match = _CHECKOV.match(data, place)
    if match is not None:
        numbers = {int(number) for number in _CHECKOV_SECRET.findall(match[1])}
        if not numbers:
            return None
        services = frozenset(_CHECKOV_SERVICES[number] for number in numbers if number in _CHECKOV_SERVICES)
        known = numbers <= (_CHECKOV_SERVICES.keys() | _CHECKOV_GENERIC)
        which = _of_services(services, generic=bool(numbers & _CHECKOV_GENERIC)) if known else None
        return Mark("checkov:skip", "around", which)
    directive = _ESLINT.match(data, place)
    if _ESLINT_RULE.match(data, place):
        before = [*_ESLINT.finditer(data, max(line, place - _TAIL), place)]
        directive = before[-1] if before else None
    elif directive is not None and _rest(data, directive.end()).strip(b" \t*/->"):
        return None  # where it names our rule, that is met by itself
    if directive is None:
        return None
    form = directive[1].decode("ascii")
    scopes: dict[str, Scope] = {
        "disable": "start",
        "enable": "end",
        "disable-line": "line",
        "disable-next-line": "next",
    }
    return Mark(f"eslint-{form}", scopes[form], begin=directive.start())


def _of_services(words: frozenset[str], *, generic: bool) -> Which:
    """Mean the rules that are called after one of the services, and the generic ones where that is said."""
    wanted = frozenset(ours for word in words for ours in _ALIASES.get(word, {word})) - _ABOUT_SECRETS
    return lambda rule, by_name: generic if by_name else rule in wanted or rule.split("-", 1)[0] in wanted


def _words(name: bytes) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.decode("ascii", "replace").lower()) if word]


def _rest(data: bytes, place: int) -> bytes:
    """Return what stands behind a marker on its line."""
    tail = data[place : place + _TAIL]
    return re.split(rb"[\r\n]", tail, maxsplit=1)[0]


_OPENER = lazy(rb"[ \t]*(#+!?|//+!?|/\*+!?|--|<!--|;+|%+|'|\{/\*|\{\{!--|\(\*|\{-|REM\b|rem\b)[ \t]*")
_IN_COMMENT = lazy(rb"""(?:^|[\s,;)\]}])(?:\#|//|/\*|--|<!--|;|%|')[^"'`]{0,100}$""")


def stands_alone(data: bytes, line: int, place: int) -> bool:
    """Say whether a comment that begins with the marker at `place` is all that stands on the line that begins at `line`."""
    opener = _OPENER.match(data, line, place)
    if opener is None or opener.end() != place:
        return False
    return opener[1] != b"'" or b"'" not in _rest(data, place)  # a text in a list of texts, else


def is_comment(data: bytes, line: int, place: int) -> bool:
    """Say whether what stands at `place` looks like part of a comment."""
    return _IN_COMMENT.search(data[max(line, place - 200) : place]) is not None
