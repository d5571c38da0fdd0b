"""A vault file that another hand has changed: seen, told as one error, and nothing of it is shown or obeyed."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locum.errors import LocumError
from locum.vaults.interface import VaultError, VaultLocked
from locum.vaults.local.envelope import Envelope
from locum.vaults.local.keyslots import PassphraseSlot
from locum.vaults.local.store import LocalVault
from unit.vaults.values import reopened, secret, text


def test_every_changed_bit_is_seen(vault: LocalVault, folder: Path) -> None:
    path = folder / "vault.locum"
    original = path.read_bytes()
    chance = random.Random(7)
    for place in [chance.randrange(len(original)) for _ in range(300)]:
        changed = bytearray(original)
        changed[place] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(LocumError) as caught:
            reopened(folder).get("A")
        assert caught.value.code in {
            "vault.corrupt",
            "vault.newer",
            "locked.wrong",
            "locked.slot",
            "locked.key-file",
            "locked.passphrase",
            "locked.keyring",
        }, place
        assert "first" not in caught.value.explain()
    path.write_bytes(original)
    assert text(reopened(folder).get("A")) == "first"


def test_records_cannot_change_places(vault: LocalVault, folder: Path) -> None:
    vault.put("B", secret("second"), must_be_new=True)
    path = folder / "vault.locum"
    body, mac = path.read_bytes().splitlines()
    content = json.loads(body)
    one, other = content["records"]
    for key in ("salt", "nonce", "sealed"):
        one[key], other[key] = other[key], one[key]
    path.write_bytes(json.dumps(content, separators=(",", ":")).encode() + b"\n" + mac + b"\n")
    with pytest.raises(VaultError) as caught:
        reopened(folder)
    assert caught.value.code == "vault.corrupt"


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null\n", b"\xff\xfe", b'{"format":"locum-vault"}', b"[" * 5000])
def test_what_is_no_vault_is_told_without_echo(folder: Path, raw: bytes) -> None:
    path = folder / "vault.locum"
    path.write_bytes(raw)
    path.chmod(0o600)
    with pytest.raises(VaultError) as caught:
        LocalVault(path).unlock()
    assert caught.value.code == "vault.corrupt"


def test_a_weakened_passphrase_slot_is_refused(folder: Path) -> None:
    vault = LocalVault(folder / "vault.locum")
    vault.create(PassphraseSlot(secret("word")))
    path = folder / "vault.locum"
    body, mac = path.read_bytes().splitlines()
    for memory in (8, 1 << 40):
        content = json.loads(body)
        content["slots"][0]["params"]["memory"] = memory
        path.write_bytes(json.dumps(content).encode() + b"\n" + mac + b"\n")
        with pytest.raises(VaultLocked) as caught:
            LocalVault(path).unlock(secret("word"))
        assert "bounds" in caught.value.message


def test_open_files_links_and_strangers_are_refused(vault: LocalVault, folder: Path) -> None:
    path = folder / "vault.locum"
    path.chmod(0o644)
    with pytest.raises(VaultError):
        reopened(folder)
    path.chmod(0o600)
    (folder / "key").chmod(0o640)
    with pytest.raises(VaultLocked):
        reopened(folder)
    (folder / "key").chmod(0o600)
    path.rename(folder / "elsewhere")
    path.symlink_to(folder / "elsewhere")
    with pytest.raises(VaultError):
        reopened(folder)


Change = Callable[[dict[str, Any]], None]


def params(**changes: Any) -> Change:
    return lambda content: content["slots"][0]["params"].update(changes)


CHANGES: dict[str, Change] = {
    "no whole number": lambda content: content.update(epoch=1.5),
    "an endless number": lambda content: content.update(generation=float("inf")),
    "a truth for a number": lambda content: content.update(version=True),
    "a version before the first": lambda content: content.update(version=0),
    "a number below zero": lambda content: content.update(generation=-1),
    "half a character": lambda content: content.update(vault="\ud800"),
    "a NUL in a path": params(path="a\0b"),
    "an escape sequence in a path": params(path="/\x1b]0;hello\x07"),
    "half a character in a path": params(path="/\ud800"),
    "a list for a path": params(path=["/"]),
    "an escape sequence for a kind": lambda content: content["slots"][0].update(type="\x1b[2J"),
    "a thousand slots": lambda content: content.update(slots=content["slots"] * 1000),
    "no slots": lambda content: content.update(slots=None),
    "a list for parameters": lambda content: content["slots"][0].update(params=[]),
    "a text for records": lambda content: content.update(records="records"),
    "no base64": lambda content: content["records"][0].update(sealed="~~~~"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_kind_of_nonsense_is_one_error(vault: LocalVault, folder: Path, change: str) -> None:
    path = folder / "vault.locum"
    body, mac = path.read_bytes().splitlines()
    content = json.loads(body)
    CHANGES[change](content)
    path.write_bytes(json.dumps(content).encode() + b"\n" + mac + b"\n")
    for work in (LocalVault(path).unlock, LocalVault(path).describe, vault.list):
        with pytest.raises(VaultError) as caught:
            work()
        assert caught.value.code == "vault.corrupt"
        assert caught.value.explain().replace("\n", " ").isprintable()


def test_a_newer_format_is_refused_as_such(vault: LocalVault, folder: Path) -> None:
    path = folder / "vault.locum"
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":2', 1))
    with pytest.raises(VaultError) as caught:
        vault.get("A")
    assert caught.value.code == "vault.newer"
    assert "Update" in caught.value.hint


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
FIELDS = ["format", "version", "vault", "epoch", "generation", "slots", "index", "records"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(changes=st.dictionaries(st.sampled_from(FIELDS), values, max_size=4))
def test_whatever_json_there_is(vault: LocalVault, folder: Path, changes: dict[str, Any]) -> None:
    content = json.loads((folder / "vault.locum").read_bytes().splitlines()[0]) | changes
    with contextlib.suppress(VaultError):  # it may be read, or refused; there is no third way
        Envelope.from_bytes(json.dumps(content).encode() + b"\nAAAA\n")


@settings(deadline=None, max_examples=200)
@given(raw=st.binary(max_size=300))
def test_whatever_bytes_there_are(raw: bytes) -> None:
    with pytest.raises(VaultError) as caught:
        Envelope.from_bytes(raw)
    assert caught.value.code == "vault.corrupt"


def test_an_item_of_another_vault_does_not_fit(vault: LocalVault, folder: Path, tmp_path: Path) -> None:
    """Even under the same data key, a record is bound to its vault, its id, its version and its kind."""
    envelope = Envelope.from_bytes((folder / "vault.locum").read_bytes())
    key = vault.derive("a key of the tests")
    record = envelope.seal_record(key, "item", "one", 1, secret("x"))
    assert text(envelope.open_record(key, "item", record)) == "x"
    other = Envelope("0" * 32, envelope.epoch, 1, [], record)
    later = Envelope(envelope.vault, envelope.epoch + 1, 1, [], record)
    moved = [
        (other, "item", record),
        (later, "item", record),
        (envelope, "index", record),
        (envelope, "item", type(record)("two", 1, record.salt, record.nonce, record.sealed)),
        (envelope, "item", type(record)("one", 2, record.salt, record.nonce, record.sealed)),
    ]
    for place, kind, changed in moved:
        with pytest.raises(VaultError):
            place.open_record(key, kind, changed)


def test_a_folder_that_others_can_write_is_refused(vault: LocalVault, folder: Path) -> None:
    folder.chmod(0o770)
    with pytest.raises(VaultError) as caught:
        vault.get("A")
    assert "chmod 700" in caught.value.hint


def test_a_folder_behind_a_link_is_refused(vault: LocalVault, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    behind = LocalVault(tmp_path / "link" / "vault.locum")
    with pytest.raises(LocumError):
        behind.unlock()
