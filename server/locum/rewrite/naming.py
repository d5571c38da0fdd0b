"""Names for secrets: valid as environment variables, unique in a project, and none that steers a program."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from locum.detect.finding import Finding
from locum.secret import SecretBytes

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


def can_be_passed(name: str) -> bool:
    """Say whether `locum run` passes a secret under this name: people may call theirs `db.password`."""
    return is_environment_name(name) and not steers_programs(name)


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


def agreed(found: Iterable[tuple[bytes, Finding]]) -> dict[bytes, str]:
    """Return the best name for each value, given as spelt: what most places would call it, of those the first.

    A key like `API_TOKEN` in one file says less than what three others say of the same value.
    """
    votes: dict[bytes, Counter[str]] = {}
    for value, finding in found:
        votes.setdefault(value, Counter())[finding.secret_name] += 1
    return {value: names.most_common(1)[0][0] for value, names in votes.items()}


class Names:
    """The names of one fix: the same value has the same name, another value never has it.

    Values are remembered by a hash under a key that dies with this object.
    """

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._by_value: dict[bytes, str] = {}

    def remember(self, value: SecretBytes, name: str) -> None:
        """Let this value have this name from now on."""
        self._by_value[self._keyed(value)] = name

    def of(self, value: SecretBytes) -> str:
        """Return the value's name, "" for one that has none yet."""
        return self._by_value.get(self._keyed(value), "")

    def choose(
        self, finding: Finding, value: SecretBytes, taken: Collection[str], in_vault: Callable[[SecretBytes], str]
    ) -> str:
        """Return the value's name: the one it has, the one under which `in_vault` has it, or a new one not in `taken`."""
        name = self.of(value) or in_vault(value) or choose_name(finding, {*taken, *self._by_value.values()})
        self.remember(value, name)
        return name

    def _keyed(self, value: SecretBytes) -> bytes:
        import hashlib  # with OpenSSL 7 ms, and only for who fixes something
        import hmac

        return hmac.digest(self._key, value.view(), hashlib.sha256)


def steers_programs(name: str) -> bool:
    """Say whether `locum run` refuses to pass a secret under this name."""
    return _CONTROL.fullmatch(name.upper()) is not None
