"""Key files and passphrases: what they open, and what they refuse. The OS keyring: tests/e2e/test_keyring.py."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from locum.errors import UsageProblem
from locum.vaults.interface import VaultError, VaultLocked
from locum.vaults.local.keyslots import KeyFileSlot, PassphraseSlot
from locum.vaults.local.store import LocalVault
from unit.vaults.values import reopened, secret, text


def test_a_wrong_passphrase_and_a_right_one(folder: Path) -> None:
    vault = LocalVault(folder / "vault.locum")
    vault.create(PassphraseSlot(secret("right")))
    with pytest.raises(VaultLocked) as none:
        vault.unlock()
    assert none.value.code == "locked.passphrase"
    with pytest.raises(VaultLocked) as wrong:
        vault.unlock(secret("wrong"))
    assert "wrong" in wrong.value.message
    assert vault.unlock(secret("right")) == "passphrase"


def test_several_slots_open_one_vault(vault: LocalVault, folder: Path) -> None:
    vault.add_slot(PassphraseSlot(secret("word")))
    again = LocalVault(folder / "vault.locum")
    assert again.unlock(secret("word")) == "passphrase"
    assert text(again.get("A")) == "first"
    assert reopened(folder).describe().slots[0].type == "key-file"


def test_a_key_file_holds_a_key_and_is_private(vault: LocalVault, folder: Path) -> None:
    raw = (folder / "key").read_bytes()
    assert len(base64.b64decode(raw, validate=False)) == 32
    assert (folder / "key").stat().st_mode & 0o777 == 0o600
    assert vault.describe().slots[0].detail == str(folder / "key")


def test_a_key_file_is_found_from_anywhere(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    LocalVault(folder / "vault.locum").create(KeyFileSlot(Path("key")))
    monkeypatch.chdir("/")
    assert LocalVault(folder / "vault.locum").unlock() == "key-file"


def test_a_file_in_the_way_is_not_overwritten(folder: Path) -> None:
    (folder / "key").write_text("mine")
    with pytest.raises(UsageProblem):
        LocalVault(folder / "vault.locum").create(KeyFileSlot(folder / "key"))
    assert (folder / "key").read_text() == "mine"
    assert not (folder / "vault.locum").exists()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 44, base64.b64encode(b"x" * 31)])
def test_what_is_no_key_opens_nothing(vault: LocalVault, folder: Path, content: bytes) -> None:
    (folder / "key").write_bytes(content)
    with pytest.raises(VaultLocked) as caught:
        LocalVault(folder / "vault.locum").unlock()
    assert caught.value.code == "locked.key-file"


def test_another_key_opens_nothing(vault: LocalVault, folder: Path) -> None:
    (folder / "key").write_bytes(base64.b64encode(b"x" * 32))
    with pytest.raises(VaultLocked) as caught:
        LocalVault(folder / "vault.locum").unlock()
    assert caught.value.code == "locked.wrong"


def test_a_missing_key_file_is_named(vault: LocalVault, folder: Path) -> None:
    (folder / "key").unlink()
    with pytest.raises(VaultLocked) as caught:
        LocalVault(folder / "vault.locum").unlock()
    assert str(folder / "key") in caught.value.message


def test_a_key_file_behind_a_link_is_refused(vault: LocalVault, folder: Path) -> None:
    (folder / "key").rename(folder / "elsewhere")
    (folder / "key").symlink_to(folder / "elsewhere")
    with pytest.raises(VaultLocked):
        LocalVault(folder / "vault.locum").unlock()


@pytest.mark.parametrize("name", ["a\nb", "a\udcffb"])
def test_a_key_file_needs_a_name_that_can_be_shown(folder: Path, name: str) -> None:
    with pytest.raises(UsageProblem):
        LocalVault(folder / "vault.locum").create(KeyFileSlot(folder / name))
    assert not (folder / "vault.locum").exists()


def test_an_empty_passphrase_is_refused(folder: Path) -> None:
    with pytest.raises(UsageProblem):
        LocalVault(folder / "vault.locum").create(PassphraseSlot(secret("")))


def test_a_slot_cannot_be_relabelled_or_weakened(folder: Path) -> None:
    """The wrapped key is bound to all that the header says of its slot."""
    vault = LocalVault(folder / "vault.locum")
    vault.create(PassphraseSlot(secret("word")))
    path = folder / "vault.locum"
    body, mac = path.read_bytes().splitlines()
    for change in ({"lanes": 2}, {"iterations": 2}, {"memory": 32 * 1024}, {"note": "x"}):
        content = json.loads(body)
        content["slots"][0]["params"] |= change
        path.write_bytes(json.dumps(content, separators=(",", ":")).encode() + b"\n" + mac + b"\n")
        with pytest.raises(VaultLocked):
            vault.unlock(secret("word"))


def test_slots_are_bounded(vault: LocalVault, folder: Path) -> None:
    for number in range(15):
        vault.add_slot(KeyFileSlot(folder / f"key{number}"))
    with pytest.raises(VaultError) as caught:
        vault.add_slot(KeyFileSlot(folder / "one-too-many"))
    assert caught.value.code == "vault.full"
    assert not (folder / "one-too-many").exists()
    assert text(reopened(folder).get("A")) == "first"
