"""Which secrets a project says that it needs, in the files where projects say so: text in, names out. No value is read.

`.env.example` and its kin; `.env.schema` (varlock: `@sensitive`, `@docs` in comments); `secrets` of a dev container
(containers.dev, "Secrets"); in Compose files `${NAME}`, variables that are handed on, and secrets that a variable holds.
Names that do not speak of a secret are left out, but where the file itself says that it is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, cast

_SECRET = re.compile(
    r"(?:^|_)(?:(?:API|ACCESS|ACCOUNT|AUTH|PRIVATE|SECRET|SIGNING|ENCRYPTION|MASTER|SERVICE|LICENSE|DEPLOY)_?KEY|APIKEY|SECRETS?|TOKEN|PAT"
    r"|PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|CREDENTIALS?|DSN|DATABASE_URL|DB_URL|REDIS_URL|MONGO(?:DB)?_UR[IL]|CONNECTION_STRING|WEBHOOK_URL"
    r"|SALT|PEPPER|KEY_BASE|COOKIE_KEY|JWT)(?:_|$)|(?:^|_)KEY$"
)
_NOT = re.compile(
    r"(?:^|_)(?:PUBLIC|PUBLISHABLE|MAX|MIN|TTL|EXPIRY|EXPIRES|EXPIRATION|PATH|FILE|DIR|NAME|ID|TYPE|LENGTH|HEADER|ENABLED|ISSUER|AUDIENCE|PRIMARY|FOREIGN|CACHE|SORT"
    r"|PARTITION|SITE)(?:_|$)"
)
_ENTRY = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]{1,99})\s*=")
_COMMENT = re.compile(r"\s*#\s?(.*)")
_DOCS = re.compile(r"https?://[^\s\"'<>)]+")
_EXPANSION = re.compile(r"(?<!\$)\$\{([A-Z][A-Z0-9_]{1,99})(?:[:?+-][^}]*)?\}")
_HANDED_ON = re.compile(
    r"^[ \t]+(?:-[ \t]*[\"']?([A-Z][A-Z0-9_]{1,99})[\"']?|([A-Z][A-Z0-9_]{1,99}):)[ \t]*(?:\#.*)?$", re.MULTILINE
)
"""A variable without a value in `environment`: Compose takes it from where it is started (its reference, "environment")."""
_FROM_VARIABLE = re.compile(r"^[ \t]+environment:[ \t]*[\"']?([A-Z][A-Z0-9_]{1,99})[\"']?[ \t]*$", re.MULTILINE)
"""A secret of Compose that a variable holds (its reference, top-level "secrets")."""
_LINE_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Need:
    """A secret that a project says it needs."""

    name: str
    description: str = ""
    docs: str = ""


def needs_of(path: str, text: str) -> list[Need]:
    """Return what the file at `path` (with `/`) says; nothing for files that are of no such kind, or broken."""
    name = PurePosixPath(path).name
    for pattern, reader in _READERS:
        if re.fullmatch(pattern, name):
            return reader(text)
    return []


def is_source(name: str) -> bool:
    """Say whether a file of this name may tell what a project needs."""
    return any(re.fullmatch(pattern, name) for pattern, _ in _READERS)


def speaks_of_secret(name: str) -> bool:
    """Say whether a variable's name is that of a secret."""
    return _SECRET.search(name) is not None and _NOT.search(name) is None


def _dotenv(text: str) -> list[Need]:
    """Read names, with what the comment right above says."""
    found: list[Need] = []
    said: list[str] = []
    for line in text.splitlines():
        entry = _ENTRY.match(line)
        comment = _COMMENT.fullmatch(line)
        if comment is not None:
            said.append(comment[1])
        elif entry is not None:
            marked = any(re.search(r"@sensitive\b(?!\s*=\s*false)", words) for words in said)
            if marked or speaks_of_secret(entry[1]):
                found.append(_need(entry[1], said))
            said = []
        else:
            said = []
    return found


def _need(name: str, said: list[str]) -> Need:
    docs = next((match.group().rstrip(".,;") for words in said if (match := _DOCS.search(words))), "")
    words = " ".join(part.strip() for part in said if not part.lstrip().startswith(("@", "-", "=")))
    words = _DOCS.sub("", words).strip(" :-")
    return Need(name, words if len(words) <= _LONGEST else "", docs)


def _dev_container(text: str) -> list[Need]:
    """Read `secrets`: {NAME: {description, documentationUrl}}. The file is JSON with comments."""
    plain = _TRAILING.sub(lambda match: match[1] or "", _LINE_COMMENT.sub(lambda match: match[1] or "", text))
    try:
        raw: Any = json.loads(plain)
    except (ValueError, RecursionError):
        return []
    secrets: Any = cast("dict[str, Any]", raw).get("secrets") if isinstance(raw, dict) else None
    if not isinstance(secrets, dict):
        return []
    found: list[Need] = []
    for name, about in cast("dict[str, Any]", secrets).items():
        if re.fullmatch(r"[A-Za-z_]\w{0,99}", name):
            details = cast("dict[str, Any]", about) if isinstance(about, dict) else {}
            description, docs = details.get("description"), details.get("documentationUrl")
            found.append(
                Need(name, description if isinstance(description, str) else "", docs if isinstance(docs, str) else "")
            )
    return found


def _compose(text: str) -> list[Need]:
    read = [match[1] for match in _EXPANSION.finditer(text)]
    read += [match[1] or match[2] for match in _HANDED_ON.finditer(text)]
    names = dict.fromkeys(filter(speaks_of_secret, read))
    names |= dict.fromkeys(match[1] for match in _FROM_VARIABLE.finditer(text))
    return [Need(name) for name in names]


_READERS: tuple[tuple[str, Callable[[str], list[Need]]], ...] = (
    (
        r"\.env\.(?:.+\.)?(?:schema|example|sample|template|dist|defaults)|(?:example|sample|template)\.env|env\.example",
        _dotenv,
    ),
    (r"\.?devcontainer\.json", _dev_container),
    (r"(?:docker-)?compose(?:\..+)?\.ya?ml", _compose),
)
