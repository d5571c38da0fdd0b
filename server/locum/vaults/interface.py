"""What a place for secrets can do, and how it says that it cannot. Knows no particular vault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from locum.errors import LocumError
from locum.secret import SecretBytes


@dataclass(frozen=True, slots=True)
class Ready:
    """The vault can answer now."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The vault cannot answer now: a value, not an exception, so that status shows it."""

    reason: str
    remedy: str


Status = Ready | Unavailable


@dataclass(frozen=True, slots=True)
class SecretInfo:
    """What may be shown of a stored secret: never its value or length."""

    name: str
    created: str
    """RFC 3339, UTC, whole seconds."""
    updated: str
    version: int


class VaultError(LocumError):
    """A vault refused. Codes: `vault.absent`, `vault.exists`, `vault.corrupt`, `vault.io`, `secret.absent`, `secret.exists`."""


class VaultLocked(LocumError):
    """The vault is there, but no keyslot has opened it. Code `locked.*`; exit code 3."""

    exit_code = 3


class Provider(Protocol):
    """One secret manager, as the broker sees it."""

    name: str

    def status(self) -> Status:
        """Say whether the provider can answer now. Never raises, never prompts."""
        ...

    def get(self, key: str) -> SecretBytes:
        """Return a value. Raises VaultError (`secret.absent`) or VaultLocked."""
        ...
