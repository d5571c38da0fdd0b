"""The index of uses: what it sees, that it reads a file once, and when it says that it has not seen all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from locum.workspace import usage
from locum.workspace.usage import UsageIndex, read_uses


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text('os.environ["A"]\n')
    (tmp_path / "b.bin").write_bytes(b"\0\1" * 100 + b"locum://B")
    (tmp_path / "c.md").write_bytes("\ufefflocum://C\n".encode("utf-16"))
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/d.js").write_text("process.env.D\n")
    (tmp_path / "link").symlink_to(tmp_path / "a.py")
    return tmp_path


def named(index: UsageIndex) -> dict[str, set[str]]:
    return {Path(file).name: set(names) for file, names in index.used().items()}


def test_what_it_sees(tree: Path) -> None:
    index = UsageIndex()
    assert index.look([tree])
    assert named(index) == {"a.py": {"A"}, "c.md": {"C"}}
    assert index.used(without={str(tree / "a.py")}).keys() == {str(tree / "c.md")}
    read = read_uses(tree / "c.md")
    assert read is not None
    assert [use.name for use in read[1]] == ["C"]


def test_a_file_is_read_again_only_when_it_changed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = UsageIndex()
    index.look([tree])
    read: list[str] = []
    real = usage.read_file
    monkeypatch.setattr(usage, "read_file", lambda path: (read.append(path.name), real(path))[1])
    assert index.look([tree])
    assert read == []
    (tree / "a.py").write_text('os.environ["A2"], os.environ["A3"]\n')
    (tree / "c.md").unlink()
    assert index.look([tree])
    assert read == ["a.py"]
    assert named(index) == {"a.py": {"A2", "A3"}}


def test_it_says_when_it_has_not_seen_all(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = UsageIndex()
    steps: list[int] = []
    assert not index.look([tree], stop=lambda: len(steps) == 1, step=lambda: steps.append(1))
    assert named(index) == {"a.py": {"A"}}, "what was read until then is known"
    monkeypatch.setattr(usage, "MAX_FILES", 2)
    assert not index.look([tree])
    monkeypatch.undo()
    if os.geteuid() != 0:
        (tree / "a.py").chmod(0)
        assert not UsageIndex().look([tree])
