"""Errors that a person may read. Knows nothing of the rest of Locum.

An error carries a code (for programs), a message that names the cause and a hint that names the remedy.
No error text ever holds a secret value, nor any part of one: callers pass names, paths and counts only.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_DENIED = 3


class LocumError(Exception):
    """The base of every error that Locum raises on purpose."""

    exit_code = EXIT_USAGE

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def explain(self) -> str:
        """Return cause and remedy as one or two short lines for a terminal."""
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageProblem(LocumError):
    """Bad input: a flag, a name, a configuration file. Exit code 2."""


class NotAllowed(LocumError):
    """Locked, denied or not answered: Locum refuses. Exit code 3."""

    exit_code = EXIT_DENIED


class Unavailable(LocumError):
    """Something outside that Locum needs is missing or broken (a keyring, a broker, a provider). Exit code 3."""

    exit_code = EXIT_DENIED


def from_wire(code: str, message: str, hint: str) -> LocumError:
    """Rebuild an error that crossed the broker's socket; unknown codes become plain errors."""
    family = code.partition(".")[0]
    kinds = {"denied": NotAllowed, "locked": NotAllowed, "unavailable": Unavailable}
    return kinds.get(family, LocumError)(code, message, hint)
