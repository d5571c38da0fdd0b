"""Killed, crowded, without room: a write is done or was never begun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from locum.vaults.interface import VaultError
from locum.vaults.local.keyslots import KeyFileSlot
from locum.vaults.local.store import LocalVault
from support.home import ROOT
from unit.vaults.values import reopened, secret, text

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
def dying(function, half=False):
    def inner(*args, **kwargs):
        global count
        count += 1
        if count == step:
            if half: function(args[0], args[1][:len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return inner
for name in ("open", "fsync", "replace", "link", "unlink", "close", "write"):
    setattr(os, name, dying(getattr(os, name), name == "write"))
vault.put("A", SecretBytes(b"second"), must_be_new=False)
print("done")
"""


def test_killed_at_any_step_it_holds_the_old_or_the_new(vault: LocalVault, folder: Path) -> None:
    """A process that writes is killed before each system call that the write consists of."""
    script = textwrap.dedent(KILLED).format(server=str(ROOT / "server"))
    seen: set[str] = set()
    for step in range(1, 40):
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder), str(step)], capture_output=True, text=True, check=False
        )
        value = text(reopened(folder).get("A"))
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
    assert [info.name for info in reopened(folder).list()] == ["A"]
    assert not list(folder.glob("*.tmp.*"))


LIMITED = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from locum.errors import LocumError
from locum.secret import SecretBytes
from locum.vaults.local.store import LocalVault
vault = LocalVault(Path(sys.argv[1]) / "vault.locum")
vault.unlock()
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    vault.put("B", SecretBytes(b"x" * 9000), must_be_new=True)
except LocumError as error:
    print(error.code)
"""


def test_a_file_that_may_not_grow_changes_nothing(vault: LocalVault, folder: Path) -> None:
    """The kernel itself ends the write half way."""
    before = (folder / "vault.locum").read_bytes()
    command = [sys.executable, "-c", LIMITED, str(folder), str(ROOT / "server")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "vault.io"), done.stderr
    assert (folder / "vault.locum").read_bytes() == before
    assert not list(folder.glob("*.tmp.*"))


def test_a_file_system_without_hard_links_will_do(
    vault: LocalVault, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (folder / "vault.locum").read_bytes()

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    vault.put("A", secret("second"), must_be_new=False)
    assert text(reopened(folder).get("A")) == "second"
    assert (folder / "vault.locum.bak").read_bytes() == before
    assert (folder / "vault.locum.bak").stat().st_mode & 0o777 == 0o600


def test_what_a_bad_disk_gives_back_is_noticed_before_anything_changes(
    vault: LocalVault, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = os.read

    def flipped(descriptor: int, most: int) -> bytes:
        data = read(descriptor, most)
        here = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:] if ".tmp." in here and len(data) > 20 else data

    monkeypatch.setattr(os, "read", flipped)
    with pytest.raises(VaultError) as caught:
        vault.put("A", secret("second"), must_be_new=False)
    assert caught.value.code == "vault.corrupt"
    monkeypatch.undo()
    assert text(reopened(folder).get("A")) == "first"


@pytest.mark.parametrize("with_the_value", [False, True])
def test_a_value_is_read_back_from_the_file_itself(
    vault: LocalVault, folder: Path, monkeypatch: pytest.MonkeyPatch, with_the_value: bool
) -> None:
    """Promise P2: `put` returns only when the file under the vault's name gives the value back."""
    replace = os.replace
    older = (folder / "vault.locum").read_bytes()

    def sabotaged(source: Any, target: Any) -> None:
        replace(source, target)
        if str(target).endswith("vault.locum"):
            Path(target).write_bytes(older if with_the_value else b"")

    monkeypatch.setattr(os, "replace", sabotaged)
    with pytest.raises(VaultError) as caught:
        vault.put("A", secret("second"), must_be_new=False)
    assert caught.value.code == "vault.unsure"
    assert "Nothing was changed" not in caught.value.explain()


def test_a_folder_that_cannot_be_synced_is_not_called_unchanged(
    vault: LocalVault, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def refuse(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(5, "Input/output error")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(VaultError) as caught:
        vault.put("A", secret("second"), must_be_new=False)
    assert caught.value.code == "vault.unsure"


def full_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sync, count = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == step:
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_vault_that_could_not_be_made_leaves_nothing_in_the_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Steps: the key file, its folder, the vault's temporary file."""
    full_at(step, monkeypatch)
    vault = LocalVault(folder / "vault.locum")
    with pytest.raises(Exception, match="No space") as caught:
        vault.create(KeyFileSlot(folder / "key"))
    assert getattr(caught.value, "code", "") in {"key-file.write", "vault.io"}
    monkeypatch.undo()
    assert not (folder / "key").exists()
    vault.create(KeyFileSlot(folder / "key"))
    assert vault.unlock() == "key-file"


def test_a_key_that_the_file_may_need_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step four is the vault's folder: the file has its name by then."""
    full_at(4, monkeypatch)
    vault = LocalVault(folder / "vault.locum")
    with pytest.raises(VaultError) as caught:
        vault.create(KeyFileSlot(folder / "key"))
    assert caught.value.code == "vault.unsure"
    monkeypatch.undo()
    assert vault.unlock() == "key-file"


def test_a_slot_that_could_not_be_added_takes_none_away(
    vault: LocalVault, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_at(3, monkeypatch)
    with pytest.raises(VaultError):
        vault.add_slot(KeyFileSlot(folder / "second"))
    monkeypatch.undo()
    assert not (folder / "second").exists()
    assert text(reopened(folder).get("A")) == "first"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VaultError) as caught:
        LocalVault(tmp_path / "file" / "data" / "vault.locum").create(KeyFileSlot(tmp_path / "key"))
    assert caught.value.code == "vault.io"
    assert not (tmp_path / "key").exists()
