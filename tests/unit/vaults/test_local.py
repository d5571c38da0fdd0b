"""The local vault on a real disk: nothing lost, nothing readable, nothing changed unseen."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locum.errors import LocumError, UsageProblem
from locum.secret import SecretBytes
from locum.vaults.interface import VaultError, VaultLocked
from locum.vaults.local.crypto import BUCKET, SealBroken, join_parts, pad, unpad
from locum.vaults.local.keyslots import PassphraseSlot
from locum.vaults.local.store import LocalVault
from support.home import canary
from unit.vaults.values import reopened, secret, text


def test_what_goes_in_comes_out_of_a_new_process_too(vault: LocalVault, folder: Path) -> None:
    vault.put("B", secret("second"), must_be_new=True)
    again = reopened(folder)
    assert [info.name for info in again.list()] == ["A", "B"]
    assert text(again.get("B")) == "second"
    assert vault.put("A", secret("third"), must_be_new=False).version == 2
    assert text(again.get("A")) == "third", "an open vault sees what another wrote"
    again.remove("B")
    assert not vault.has("B")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(value=st.binary(min_size=1, max_size=5000))
def test_any_bytes(vault: LocalVault, value: bytes) -> None:
    vault.put("ANY", SecretBytes(value), must_be_new=False)
    assert bytes(vault.get("ANY").view()) == value


@given(st.binary(max_size=1000))
def test_padding_hides_the_length_and_goes_round(value: bytes) -> None:
    padded = pad(SecretBytes(value))
    assert len(padded.view()) % BUCKET == 0
    assert bytes(unpad(padded).view()) == value


@given(st.binary(max_size=200))
def test_what_is_not_padded_is_refused(raw: bytes) -> None:
    try:
        unpad(SecretBytes(raw))
    except SealBroken:
        return
    assert len(raw) % BUCKET == 0


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_different_parts_never_look_alike(one: list[str], other: list[str]) -> None:
    assert (join_parts(*one) == join_parts(*other)) == (one == other)


def test_no_value_and_no_name_is_readable(folder: Path) -> None:
    value = canary()
    vault = LocalVault(folder / "vault.locum")
    vault.create(PassphraseSlot(secret("a passphrase of the tests")))
    vault.unlock(secret("a passphrase of the tests"))
    vault.put("PROJECT_X_KEY", secret(value), must_be_new=True)
    vault.put("PROJECT_X_KEY", secret(value + "!"), must_be_new=False)
    written = b"".join(path.read_bytes() for path in folder.iterdir())
    for form in (
        value.encode(),
        base64.b64encode(value.encode())[:-2],
        value.encode().hex().encode(),
        b"PROJECT_X",
        b"passphrase of",
    ):
        assert form not in written
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_no_error_and_no_repr_shows_a_value(vault: LocalVault, folder: Path) -> None:
    value = canary()
    hidden = secret(value)
    vault.put("B", hidden, must_be_new=True)
    path = folder / "vault.locum"
    shown = [repr(item) for item in (vault, vault.list(), vault.describe(), vault.get("B"), PassphraseSlot(hidden))]
    whole = path.read_bytes()

    def damaged() -> None:
        path.write_bytes(whole[:-9])
        vault.get("B")

    failing: list[Callable[[], object]] = [
        lambda: vault.put("B", hidden, must_be_new=True),
        lambda: vault.put("not a name", hidden, must_be_new=True),
        lambda: vault.put("C", SecretBytes(value.encode() * 10_000), must_be_new=True),
        lambda: vault.unlock(hidden),
        lambda: vault.create(PassphraseSlot(hidden)),
        damaged,
    ]
    for work in failing:
        with pytest.raises(LocumError) as caught:
            work()
        shown += traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
        shown += [caught.value.explain(), repr(caught.value)]
    # The test's own locals hold the value as text; ours must not.
    ours = "".join(part for part in shown if "/tests/" not in part)
    assert value not in ours


def test_a_new_name_is_not_overwritten(vault: LocalVault) -> None:
    with pytest.raises(VaultError) as caught:
        vault.put("A", secret("other"), must_be_new=True)
    assert caught.value.code == "secret.exists"
    assert text(vault.get("A")) == "first"


@pytest.mark.parametrize("name", ["", "9a", "a b", "a/../b", "a" * 129, "ä"])
def test_bad_names(vault: LocalVault, name: str) -> None:
    with pytest.raises(UsageProblem):
        vault.put(name, secret("x"), must_be_new=True)


@pytest.mark.parametrize("value", [b"", b"x" * (256 * 1024 + 1)])
def test_bad_sizes(vault: LocalVault, value: bytes) -> None:
    with pytest.raises(UsageProblem):
        vault.put("B", SecretBytes(value), must_be_new=True)


def test_locked_means_locked(vault: LocalVault) -> None:
    vault.lock()
    for work in (
        vault.list,
        lambda: vault.get("A"),
        lambda: vault.put("B", secret("x"), must_be_new=True),
        lambda: vault.derive("audit"),
    ):
        with pytest.raises(VaultLocked):
            work()


def test_the_generation_before_is_kept(vault: LocalVault, folder: Path) -> None:
    before = (folder / "vault.locum").read_bytes()
    generation = vault.describe().generation
    vault.put("A", secret("second"), must_be_new=False)
    assert (folder / "vault.locum.bak").read_bytes() == before
    assert vault.describe().generation == generation + 1


def test_an_older_file_put_back_shows_in_the_generation(vault: LocalVault, folder: Path) -> None:
    path = folder / "vault.locum"
    older = path.read_bytes()
    vault.put("A", secret("second"), must_be_new=False)
    newest = vault.describe().generation
    path.write_bytes(older)
    assert vault.describe().generation < newest
    assert reopened(folder).describe().generation < newest


def test_what_is_said_of_an_open_vault_is_checked(vault: LocalVault, folder: Path) -> None:
    path = folder / "vault.locum"
    raw = path.read_bytes()
    number = vault.describe().generation
    path.write_bytes(raw.replace(b'"generation":%d' % number, b'"generation":%d' % (number + 5)))
    with pytest.raises(VaultError):
        vault.describe()


def test_a_removed_value_is_gone_with_the_next_write(vault: LocalVault, folder: Path) -> None:
    vault.put("B", secret("second"), must_be_new=True)
    record = json.loads((folder / "vault.locum").read_bytes().splitlines()[0])["records"]
    vault.remove("B")
    vault.put("A", secret("again"), must_be_new=False)
    left = b"".join(path.read_bytes() for path in folder.glob("vault.locum*"))
    kept = [sealed for sealed in (item["sealed"].encode() for item in record) if sealed in left]
    assert len(kept) == 1, "of the two values that there were, .bak holds A's"


def test_every_record_has_a_salt_of_its_own(vault: LocalVault, folder: Path) -> None:
    """And so a key of its own: the same value stored twice shares nothing with itself."""
    salts: list[str] = []
    for _ in range(20):
        vault.put("A", secret("same"), must_be_new=False)
        content = json.loads((folder / "vault.locum").read_bytes().splitlines()[0])
        salts += [record["salt"] for record in [*content["records"], content["index"]]]
    assert len(set(salts)) == 40


def test_keys_for_other_purposes_differ(vault: LocalVault) -> None:
    keys = [vault.derive("audit", b"a"), vault.derive("audit", b"b"), vault.derive("policy", b"a")]
    assert len({bytes(key.view()) for key in keys}) == 3
    assert vault.derive("audit", b"a").same_as(keys[0])
