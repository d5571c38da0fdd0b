"""Names for secrets: valid as environment variables, unique in a project, and none that steers a program."""

from __future__ import annotations

import re
from collections.abc import Collection

from locum.detect.finding import Finding

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_OTHER = re.compile(r"[^A-Za-z0-9]+")
_MAX = 100

# A task that got a "secret" under one of these would run something else: `locum run` refuses them, so they name none.
_CONTROL = re.compile(
    r"(LD|DYLD|LOCUM|PYTHON|PERL5|GIT|CLAUDE)(_.*|[A-Z]+)?|PATH|HOME|SHELL|USER|IFS|ENV|BASH_ENV|NODE_OPTIONS|RUBYOPT"
    r"|JAVA_TOOL_OPTIONS|SSH_AUTH_SOCK|.*_PROXY|.*_BASE_URL|.*_ENDPOINT(_.*)?|VAULT_ADDR|AWS_CONFIG_FILE|CODEX_HOME"
    r"|ANTHROPIC_.*_URL|DOCKER_HOST|KUBECONFIG"
)


def is_environment_name(name: str) -> bool:
    """Say whether a program can read a variable of this name."""
    return _ENV_NAME.fullmatch(name) is not None


def choose_name(finding: Finding, taken: Collection[str]) -> str:
    """Return a name for the finding's secret that is not in `taken`, whatever its case: NAME, NAME_2, NAME_3 …"""
    base = _OTHER.sub("_", finding.secret_name).strip("_").upper()[:_MAX].rstrip("_")
    if not base:
        base = "SECRET"
    elif base[0].isdigit() or _CONTROL.fullmatch(base):
        base = f"SECRET_{base}"
    used = {name.upper() for name in taken}
    name, number = base, 2
    while name in used:
        name, number = f"{base}_{number}", number + 1
    return name


def steers_programs(name: str) -> bool:
    """Say whether `locum run` refuses to pass a secret under this name."""
    return _CONTROL.fullmatch(name.upper()) is not None
