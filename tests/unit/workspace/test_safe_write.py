"""Writing a file that nobody has open: that file and no other, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from locum.workspace import safe_write
from locum.workspace.safe_write import NotWritten, is_left_behind, replace_bytes


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["exchange", "rename"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways: where the system can exchange names, and where it cannot."""
    if request.param == "rename":
        monkeypatch.setattr(safe_write, "_exchanger", lambda: None)
    return request.param


def test_bytes_change_and_the_rest_stays(tmp_path: Path, way: str) -> None:
    file = tmp_path / "a" / "b.txt"
    file.parent.mkdir()
    file.write_bytes(b"old")
    file.chmod(0o750)
    if hasattr(os, "setxattr"):
        with contextlib.suppress(OSError):  # a file system without them
            os.setxattr(file, "user.locum", b"1")
    replace_bytes(tmp_path, file, b"old", b"new")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o750
    assert names(file.parent) == ["b.txt"]
    if hasattr(os, "listxattr") and os.listxattr(file):
        assert os.getxattr(file, "user.locum") == b"1"


def test_what_is_not_the_file_that_was_looked_at_is_left_alone(tmp_path: Path, way: str) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"old")
    for name, make in {
        "changed": lambda path: path.write_bytes(b"newer"),
        "link": lambda path: path.symlink_to(other),
        "folder": lambda path: path.mkdir(),
        "fifo": os.mkfifo,
        "two-names": lambda path: os.link(other, path),
        "gone": lambda _: None,
    }.items():
        path = tmp_path / name
        make(path)
        before = names(tmp_path)
        with pytest.raises(NotWritten) as caught:
            replace_bytes(tmp_path, path, b"old", b"new")
        assert name in caught.value.message
        assert names(tmp_path) == before
    assert other.read_bytes() == b"old"


def test_a_folder_that_is_a_link_is_not_entered(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_bytes(b"old")
    root = tmp_path / "root"
    root.mkdir()
    (root / "in").symlink_to(outside)
    with pytest.raises(NotWritten):
        replace_bytes(root, root / "in" / "a", b"old", b"new")
    assert (outside / "a").read_bytes() == b"old"


def test_a_name_that_changes_all_the_time_is_never_written_through(tmp_path: Path, way: str) -> None:
    """Somebody swaps the file for a link to a precious one, back and forth. (The long run is with the end-to-end tests.)"""
    precious, file, link = tmp_path / "precious", tmp_path / "a.txt", tmp_path / "link"
    precious.write_bytes(b"old")  # the very bytes that are expected, so that a write through the link would succeed
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            link.symlink_to(precious)
            link.replace(file)
            plain = tmp_path / "plain"
            plain.write_bytes(b"old")
            plain.replace(file)

    file.write_bytes(b"old")
    thread = threading.Thread(target=swap)
    thread.start()
    written = 0
    try:
        for _ in range(500):
            try:
                replace_bytes(tmp_path, file, b"old", b"new")
                written += 1
            except NotWritten:
                pass
    finally:
        over.set()
        thread.join()
    assert precious.read_bytes() == b"old"
    assert not precious.is_symlink()
    assert {name for name in names(tmp_path) if "locum" in name} == set()


def test_a_full_disk_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")

    def full(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(safe_write.os, "write", full)
    with pytest.raises(NotWritten, match="No space left"):
        replace_bytes(tmp_path, file, b"old", b"new")
    monkeypatch.undo()
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("call", ["fsync", "unlink"])
def test_what_fails_behind_the_change_does_not_call_it_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, call: str
) -> None:
    """Who is told that nothing was written takes the value out of the vault again."""
    file = tmp_path / "a"
    file.write_bytes(b"old")
    real = getattr(os, call)

    def broken(what: int | str, **places: int) -> None:
        if call == "unlink" or stat.S_ISDIR(os.fstat(int(what)).st_mode):
            raise OSError(5, os.strerror(5))
        real(what, **places)

    monkeypatch.setattr(safe_write.os, call, broken)
    replace_bytes(tmp_path, file, b"old", b"new")
    monkeypatch.undo()
    assert file.read_bytes() == b"new"


def test_what_cannot_be_looked_at_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if safe_write._exchanger() is None:
        pytest.skip("names cannot be exchanged here")
    file = tmp_path / "a"
    file.write_bytes(b"old")

    def blind(*_: object, **__: object) -> os.stat_result:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(safe_write.os, "stat", blind)
    with pytest.raises(NotWritten):
        replace_bytes(tmp_path, file, b"old", b"new")
    monkeypatch.undo()
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_what_a_killed_write_left_is_known_and_nothing_else(tmp_path: Path) -> None:
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / "a.py").write_text("x")
    digits = "0123456789ab"
    assert is_left_behind(tmp_path / f".a.py.locum-{gone}-{digits}")
    assert not is_left_behind(tmp_path / f".a.py.locum-{os.getpid()}-{digits}")  # its writer lives
    assert not is_left_behind(tmp_path / f".b.py.locum-{gone}-{digits}")  # nothing stands beside it
    for name in ("a.py", f"a.py.locum-{gone}-{digits}", f".a.py.locum-{gone}-xyz", ".a.py.locum-baseline"):
        assert not is_left_behind(tmp_path / name)
