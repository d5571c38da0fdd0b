"""What may stand where a project's manifest should: a workspace is only data, and nobody waits for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from locum.errors import LocumError
from locum.workspace.project import find_project, load_manifest


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def huge(path: Path) -> None:
    path.write_text("#" * (1 << 20) + "\n")


def deep(path: Path) -> None:
    path.write_text("a = " + "[" * 100_000)


@pytest.mark.timeout(10)
@pytest.mark.skipif(os.name == "nt", reason="pipes and devices are no files there")
@pytest.mark.parametrize("make", [pipe, endless, folder, huge, deep])
def test_what_is_no_manifest_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / ".git").mkdir()
    make(tmp_path / "locum.toml")
    project = find_project(tmp_path)
    assert project.root == tmp_path
    assert project.id == ""
    with pytest.raises(LocumError):
        load_manifest(project)
