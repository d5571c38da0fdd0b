"""An open vault for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from locum.vaults.local.keyslots import KeyFileSlot
from locum.vaults.local.store import LocalVault
from unit.vaults.values import secret


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    place.mkdir(mode=0o700)
    return place


@pytest.fixture
def vault(folder: Path) -> LocalVault:
    """Give an open vault with one secret, A, whose value is "first"."""
    made = LocalVault(folder / "vault.locum")
    made.create(KeyFileSlot(folder / "key"))
    assert made.unlock() == "key-file"
    made.put("A", secret("first"), must_be_new=True)
    return made
