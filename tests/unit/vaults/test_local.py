"""The local vault on a real disk: nothing lost, nothing readable, nothing changed unseen."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.home import ROOT, canary

from locum.errors import LocumError, UsageProblem
from locum.secret import SecretBytes
from locum.vaults.interface import VaultError, VaultLocked
from locum.vaults.local.crypto import BUCKET, SealBroken, join_parts, pad, unpad
from locum.vaults.local.keyslots import KeyFileSlot, PassphraseSlot
from locum.vaults.local.store import LocalVault


def secret(text: str) -> SecretBytes:
    return SecretBytes(text.encode())


def text(value: SecretBytes) -> str:
    return bytes(value.view()).decode()


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


def reopened(vault: LocalVault, folder: Path) -> LocalVault:
    again = LocalVault(folder / "vault.locum")
    again.unlock()
    return again


def test_what_goes_in_comes_out_of_a_new_process_too(vault: LocalVault, folder: Path) -> None:
    vault.put("B", secret("second"), must_be_new=True)
    again = reopened(vault, folder)
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
    for form in (value.encode(), base64.b64encode(value.encode())[:-2], value.encode().hex().encode(), b"PROJECT_X", b"passphrase of"):
        assert form not in written
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


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
    for work in (vault.list, lambda: vault.get("A"), lambda: vault.put("B", secret("x"), must_be_new=True), lambda: vault.derive("audit")):
        with pytest.raises(VaultLocked):
            work()


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
    assert reopened(vault, folder).describe().slots[0].type == "key-file"


def test_every_changed_bit_is_seen(vault: LocalVault, folder: Path) -> None:
    path = folder / "vault.locum"
    original = path.read_bytes()
    chance = random.Random(7)
    for place in [chance.randrange(len(original)) for _ in range(300)]:
        changed = bytearray(original)
        changed[place] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(LocumError) as caught:
            reopened(vault, folder).get("A")
        assert caught.value.code in {"vault.corrupt", "vault.newer", "locked.wrong", "locked.slot", "locked.key-file", "locked.passphrase", "locked.keyring"}, place
        assert "first" not in caught.value.explain()
    path.write_bytes(original)
    assert text(reopened(vault, folder).get("A")) == "first"


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
        reopened(vault, folder)
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
        reopened(vault, folder)
    path.chmod(0o600)
    (folder / "key").chmod(0o640)
    with pytest.raises(VaultLocked):
        reopened(vault, folder)
    (folder / "key").chmod(0o600)
    path.rename(folder / "elsewhere")
    path.symlink_to(folder / "elsewhere")
    with pytest.raises(VaultError):
        reopened(vault, folder)


def test_the_generation_before_is_kept(vault: LocalVault, folder: Path) -> None:
    before = (folder / "vault.locum").read_bytes()
    generation = vault.describe().generation
    vault.put("A", secret("second"), must_be_new=False)
    assert (folder / "vault.locum.bak").read_bytes() == before
    assert vault.describe().generation == generation + 1


KILLED = """
import os, signal, sys
sys.path.insert(0, {server!r})
from pathlib import Path
from locum.secret import SecretBytes
from locum.vaults.local.store import LocalVault
folder, step = Path(sys.argv[1]), int(sys.argv[2])
vault = LocalVault(folder / "vault.locum")
vault.unlock()
count = 0
def dying(function):
    def inner(*args, **kwargs):
        global count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return inner
for name in ("open", "fsync", "replace", "link", "unlink", "close"):
    setattr(os, name, dying(getattr(os, name)))
vault.put("A", SecretBytes(b"second"), must_be_new=False)
print("done")
"""


def test_killed_at_any_step_it_holds_the_old_or_the_new(vault: LocalVault, folder: Path) -> None:
    """A process that writes is killed before each system call that the write consists of."""
    script = textwrap.dedent(KILLED).format(server=str(ROOT / "server"))
    seen: set[str] = set()
    for step in range(1, 40):
        done = subprocess.run([sys.executable, "-c", script, str(folder), str(step)], capture_output=True, text=True, check=False)
        value = text(reopened(vault, folder).get("A"))
        assert value in {"first", "second"}
        seen.add(value)
        vault.put("A", secret("first"), must_be_new=False)
        assert not list(folder.glob("*.tmp.*")), "the next writer sweeps up"
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    else:
        pytest.fail("the write never finished")
    assert seen == {"first", "second"}


def test_writers_side_by_side_lose_nothing(vault: LocalVault, folder: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'server')!r})\n"
        "from pathlib import Path\nfrom locum.secret import SecretBytes\nfrom locum.vaults.local.store import LocalVault\n"
        "v = LocalVault(Path(sys.argv[1]) / 'vault.locum'); v.unlock()\n"
        "for i in range(15): v.put(f'W{sys.argv[2]}_{i}', SecretBytes(b'x'), must_be_new=True)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(folder), str(number)]) for number in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert len(vault.list()) == 61


def test_a_full_disk_changes_nothing(vault: LocalVault, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VaultError) as caught:
        vault.put("B", secret("x"), must_be_new=True)
    assert caught.value.code == "vault.io"
    assert "space" in caught.value.explain()
    monkeypatch.undo()
    assert [info.name for info in reopened(vault, folder).list()] == ["A"]
    assert not list(folder.glob("*.tmp.*"))


def test_keys_for_other_purposes_differ(vault: LocalVault) -> None:
    keys = [vault.derive("audit", b"a"), vault.derive("audit", b"b"), vault.derive("policy", b"a")]
    assert len({bytes(key.view()) for key in keys}) == 3
    assert vault.derive("audit", b"a").same_as(keys[0])
