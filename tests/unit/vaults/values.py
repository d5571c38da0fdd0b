"""Values in and out of their type, and a vault as a new process finds it."""

from __future__ import annotations

from pathlib import Path

from locum.secret import SecretBytes
from locum.vaults.local.store import LocalVault


def secret(text: str) -> SecretBytes:
    return SecretBytes(text.encode())


def text(value: SecretBytes) -> str:
    return bytes(value.view()).decode()


def reopened(folder: Path) -> LocalVault:
    again = LocalVault(folder / "vault.locum")
    again.unlock()
    return again
