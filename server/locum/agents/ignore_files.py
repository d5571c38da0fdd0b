"""What keeps AI agents from reading files that hold secrets: each client's own ignore file, or its deny list.

Ignore files have gitignore's syntax. They steer a client's own tools; a shell that the client starts reads what it likes.
Ours stands in a block of its own, so that it can be renewed and nobody's lines are touched. Pure: texts in, texts out.
`.geminiignore` and `.aiexclude` (which knows no `!`) are as geminicli.com/docs/cli/gemini-ignore and cloud.google.com/gemini/docs
describe them (read in November 2026); the others' names and places are general knowledge of their documentation.
"""

from __future__ import annotations

from dataclasses import dataclass

from locum.agents import jsonc
from locum.agents.blocks import with_block, without_block
from locum.errors import UsageProblem
from locum.rewrite.idioms.json_reader import JsonProblem

SECRET_FILES = (
    ".env", ".env.*", "*.env", ".envrc", ".dev.vars", ".dev.vars.*", ".netrc", ".pgpass", ".pypirc", ".npmrc", ".htpasswd",
    "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.ppk", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519",
    "*.tfvars", "*.tfvars.json", "*.tfstate", "*.tfstate.*", "*.kdbx", "credentials.json", "service-account*.json",
    "secrets.yml", "secrets.yaml", "secrets.json", "secrets.toml",
)  # fmt: skip
READABLE = ("example", "sample", "template", "schema", "dist")
"""What `.env.example` ends in: names without values, which an agent needs."""
_ENVIRONMENTS = (
    "local",
    "development",
    "dev",
    "test",
    "testing",
    "staging",
    "stage",
    "production",
    "prod",
    "ci",
    "docker",
    "vault",
)
"""Where a client knows no exceptions, the usual names are listed instead of `.env.*`."""

_BEGIN, _END = "# locum: begin", "# locum: end"


@dataclass(frozen=True, slots=True)
class Client:
    """One client's file."""

    name: str
    """As people call it."""
    path: str
    """In the project, with `/`."""
    kind: str = "ignore"
    """`ignore`, `plain` (gitignore without exceptions) or `claude` (settings in JSON)."""


CLIENTS = {
    "kiro": Client("Kiro", ".kiroignore"),
    "cursor": Client("Cursor", ".cursorignore"),
    "gemini": Client("Gemini CLI", ".geminiignore"),
    "code-assist": Client("Gemini Code Assist", ".aiexclude", "plain"),
    "claude": Client("Claude Code", ".claude/settings.json", "claude"),
    "cline": Client("Cline", ".clineignore"),
    "roo": Client("Roo Code", ".rooignore"),
    "windsurf": Client("Windsurf", ".codeiumignore"),
    "junie": Client("Junie", ".aiignore"),
}


def with_rules(client: Client, text: str) -> str:
    """Return the client's file with our rules in it; everything else in it stays. Raises UsageProblem for bad JSON."""
    if client.kind == "claude":
        return _with_denials(client, text)
    return with_block(text, _BEGIN, [f"{_BEGIN} (renewed by 'locum init agents')", *_lines(client), _END], _END)


def without_rules(text: str) -> str:
    """Return an ignore file without our block."""
    return without_block(text, _BEGIN, _END)


def deny_rules() -> list[str]:
    """Return Claude Code's rules that keep its own tools away from the files."""
    return [f"Read(**/{pattern})" for pattern in _listed()]


def _lines(client: Client) -> list[str]:
    if client.kind == "plain":
        return _listed()
    # The exceptions come last: in this syntax the last line that matches a path decides.
    return [
        *SECRET_FILES,
        *(f"!{form}" for word in READABLE for form in (f"*.{word}", f"{word}.env", f"*.{word}.tfvars")),
    ]


def _listed() -> list[str]:
    """Return the patterns for a syntax without exceptions: none of them matches `.env.example`."""
    lines: list[str] = []
    for pattern in SECRET_FILES:
        if pattern in {".env.*", ".dev.vars.*"}:
            stem = pattern.removesuffix(".*")
            lines += [f"{stem}.{name}" for name in _ENVIRONMENTS] + [f"{stem}.*.local"]
        elif pattern == "*.tfstate.*":
            lines.append("*.tfstate.backup")
        else:
            lines.append(pattern)
    return lines


def _with_denials(client: Client, text: str) -> str:
    """Add `permissions.deny` entries that are not there yet; all else in the file stays as it is."""
    way = ("permissions", "deny")
    try:
        there = jsonc.listed(text, way)
        for rule in deny_rules():
            if rule not in there:
                text = jsonc.append(text, way, rule)
    except JsonProblem:
        raise UsageProblem(
            "init.settings",
            f"{client.path} is not the JSON that {client.name} reads (permissions.deny, a list); it was left alone",
            "Mend it, then run 'locum init agents' again.",
        ) from None
    return text
