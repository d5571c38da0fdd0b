"""Takes out of a text what may be a secret that somebody typed. Pure; knows no value, so it goes by looks alone.

It errs on the side of taking out: what it is for is the record of a command line, which is no place to find a token in.
What it cannot see: a short or a lower-case word that stands where nothing says that it is a secret (`mysql -phunter`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

MARK = "…"
"""Stands for what was taken out, of whatever length it was."""
LONG = 20
"""Characters from which on letters mixed with digits count as a token (the shortest of common tokens have 20)."""

_CHARS = r"A-Za-z0-9_+\-~%"
_RUN = re.compile(rf"[{_CHARS}./]{{{LONG},}}={{0,2}}")
_SEGMENT = re.compile(rf"[{_CHARS}]{{{LONG},}}={{0,2}}")
_WORD = re.compile(r"(?:[A-Za-z]+\d{0,4}|\d{1,4})?")
_SAYS = r"(?:passw(?:or)?d|passphrase|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?|auth)"
_VALUE = r"""(?:'[^']*'?|"[^"]*"?|[^\s'"&;,]+)"""
_NAMED = re.compile(rf"(?i)({_SAYS}['\"]?\s*[=:]\s*)({_VALUE})")
_OPTION = re.compile(
    rf"(?i)((?:^|[\s'\"])--?(?!-?secret\s)[a-z-]*{_SAYS}\s+)(?!-)({_VALUE})"
)  # `--secret NAME` is our own
_SCHEME = re.compile(r"(?i)\b((?:bearer|basic|token)\s+)([^\s'\"]+)")
_USER = re.compile(r"(://[^/\s:@'\"]*:)([^/\s@'\"]+)(@)")
_REFERENCE = re.compile(r"(?:locum|op|keyring|pass|ref\+\w+)://[^\s'\"]*")


def scrub(text: str) -> str:
    """Return the text with everything taken out that looks like a secret: long mixed runs of token characters, what
    follows `--password`, `token=` and the like, what stands between `user:` and `@` in a URL. References stay.

    Doing it twice changes nothing more.
    """
    parts: list[str] = []
    at = 0
    for reference in _REFERENCE.finditer(text):
        if _USER.match(text, text.find("://", reference.start())):
            continue  # a URL with a password in it is no reference
        parts += [_scrub(text[at : reference.start()]), reference[0]]
        at = reference.end()
    return "".join([*parts, _scrub(text[at:])])


def scrub_argv(argv: Iterable[str]) -> str:
    """Return a command line as a shell would need it typed, scrubbed word by word, as quotes hide what stands in them, and
    as a whole: an option says what the next word is.
    """
    return scrub(" ".join(shlex.quote(scrub(part)) for part in argv))


def _scrub(text: str) -> str:
    text = _USER.sub(rf"\1{MARK}\3", text)
    text = _OPTION.sub(rf"\1{MARK}", _NAMED.sub(rf"\1{MARK}", text))
    text = _SCHEME.sub(rf"\1{MARK}", text)
    return _RUN.sub(lambda run: _scrub_run(run[0]), text)


def _scrub_run(run: str) -> str:
    """Return a run of token characters, or what stands for it; of a path only the parts that look like tokens go."""
    first, second = [*run.split("/"), ""][:2]
    is_path = "/" in run and first in {"", ".", "..", "~"} and _is_words(second.split("."))
    if not is_path and _mixes(run) == 3 and not _is_words(re.split(r"[/.]", run)):
        return MARK
    return _SEGMENT.sub(lambda part: MARK if _is_token(part[0]) else part[0], run)


def _is_token(part: str) -> bool:
    parts = re.split(r"[_-]", part)
    return _mixes(part) > 1 and not (len(parts) > 1 and _is_words(parts))


def _is_words(parts: list[str]) -> bool:
    """Say whether all of these read like words, with a few digits at their ends: `node_modules`, `test-audit-2`."""
    words = [word for part in parts for word in re.split(r"[_-]", part)]
    return all(_WORD.fullmatch(word) and not _zigzags(word) for word in words)


def _zigzags(word: str) -> bool:
    """Say whether upper and lower case change more often than in a name."""
    return len(re.findall(r"[a-z][A-Z]", word)) > 3


def _mixes(text: str) -> int:
    """Return how many of lower case, upper case and digits occur; a run of nothing but digits counts as mixed."""
    kinds = sum(any(test(char) for char in text) for test in (str.islower, str.isupper, str.isdigit))
    return 2 if kinds == 1 and text.strip("=").isdigit() else kinds
