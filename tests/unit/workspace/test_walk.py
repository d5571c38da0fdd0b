"""Which files a walk gives, against git's own answer, and what it refuses to open."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from locum.workspace.walk import Skipped, Walk, read_file


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")


def walked(root: Path, *below: str, **options: object) -> list[str]:
    walk = Walk([root / name for name in below] or [root], **options)  # type: ignore[arg-type]
    return [path.relative_to(root).as_posix() for path in walk.files()]


RULES = {
    ".gitignore": "*.log\n!keep.log\n/build/\n# a comment\n\\#odd\ndoc/*.txt\n**/tmp\n[bad\n!\n  \n",
    "sub/.gitignore": "!debug.log\nlocal.py\n",
    "sub/deep/.gitignore": "*\n!.gitignore\n!wanted.py\n",
}
FILES = ["a.py", "a.log", "keep.log", "build/x.py", "sub/build/x.py", "doc/a.txt", "doc/b/a.txt", "tmp/x", "sub/tmp/x.py", "sub/debug.log",
         "sub/other.log", "sub/local.py", "local.py", "sub/deep/wanted.py", "sub/deep/unwanted.py", "#odd", "info.cfg", "größe.py"]  # fmt: skip


@pytest.mark.skipif(not shutil.which("git"), reason="compares with git")
def test_the_same_files_as_git(tmp_path: Path) -> None:
    make(tmp_path, *FILES)
    for name, text in RULES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".git/info/exclude").write_text("info.cfg\n")
    listed = subprocess.run(
        ["git", "-c", "core.quotepath=off", "ls-files", "-co", "--exclude-standard"], cwd=tmp_path, check=True, capture_output=True, text=True,
        env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull},
    ).stdout.split("\n")  # fmt: skip
    assert sorted(walked(tmp_path)) == sorted(filter(None, listed))
    below = [name for name in listed if name.startswith("sub/")]
    assert sorted(walked(tmp_path, "sub")) == sorted(below), "ignore files above the root count too"


def test_caches_are_left_out_and_no_ignore_brings_them(tmp_path: Path) -> None:
    make(
        tmp_path,
        "a.py",
        "node_modules/x/i.js",
        "env/pyvenv.cfg",
        "env/lib.py",
        ".venv/x.py",
        "cache/CACHEDIR.TAG",
        "cache/x",
        ".git/config",
        "skip/x.py",
    )
    (tmp_path / ".gitignore").write_text("skip/\n")
    assert walked(tmp_path) == [".gitignore", "a.py"]
    everything = walked(tmp_path, use_ignore_files=False)
    assert {"node_modules/x/i.js", "env/lib.py", "cache/x", "skip/x.py"} <= set(everything)
    assert not [name for name in everything if name.startswith(".git/")]


def test_files_that_are_ignored_because_they_hold_secrets_are_read(tmp_path: Path) -> None:
    make(
        tmp_path,
        ".env",
        ".env.local",
        "prod.env",
        "key.pem",
        "mcp.json",
        ".vscode/mcp.json",
        ".vscode/settings.json",
        "a.py",
        "dist/.env",
        "x/.env",
    )
    (tmp_path / ".gitignore").write_text(".env*\n*.env\n*.pem\nmcp.json\n.vscode/\ndist/\na.py\n")
    assert walked(tmp_path) == [
        ".env",
        ".env.local",
        ".gitignore",
        ".vscode/mcp.json",
        "key.pem",
        "mcp.json",
        "prod.env",
        "x/.env",
    ]


def test_the_projects_exclusions(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "tests/fixtures/deep/x.py", "tests/x.py", "other/tests/fixtures/x.py")
    options = {"exclude": ["tests/fixtures/**"], "exclude_base": tmp_path}
    assert walked(tmp_path, **options) == ["a.py", "other/tests/fixtures/x.py", "tests/x.py"]
    assert walked(tmp_path, "tests", **options) == ["tests/x.py"]


def test_each_file_once_and_in_order(tmp_path: Path) -> None:
    make(tmp_path, "b", "a", "c/z", "c/y")
    assert walked(tmp_path) == ["a", "b", "c/y", "c/z"]
    walk = Walk([tmp_path / "c", tmp_path, tmp_path / "a"])
    assert [path.name for path in walk.files()] == ["y", "z", "a", "b"]


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "real/a.py", "outside/secret.py")
    (tmp_path / "real/loop").symlink_to(tmp_path / "real")
    (tmp_path / "real/link.py").symlink_to(tmp_path / "outside/secret.py")
    os.mkfifo(tmp_path / "real/pipe")
    assert walked(tmp_path / "real") == ["a.py"]
    assert read_file(tmp_path / "real/link.py") == Skipped(tmp_path / "real/link.py", "a link")
    assert read_file(tmp_path / "real/pipe") == Skipped(tmp_path / "real/pipe", "not a file")
    walk = Walk([tmp_path / "real/loop"])
    assert list(walk.files()) == []
    assert walk.skipped == [Skipped(tmp_path / "real/loop", "a link")]


def test_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    assert read_file(path) == b"0123456789"
    assert read_file(path, 10) == b"0123456789"
    assert read_file(path, 9) == Skipped(path, "too big")
    path.write_bytes(b"a\0b")
    assert read_file(path) == Skipped(path, "binary")
    path.write_bytes("\ufeffa".encode("utf-16-le"))
    assert read_file(path) == b"\xff\xfea\0"
    assert read_file(tmp_path / "nope") == Skipped(tmp_path / "nope", "not readable")
    assert read_file(tmp_path) == Skipped(tmp_path, "not a file")


def test_what_is_no_text_is_skipped_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\x7fELF" + bytes(100))
    (tmp_path / "wide.ini").write_bytes("[client]\npassword = x\n".encode("utf-16-le"))
    (tmp_path / "west.ini").write_bytes("größe".encode("latin-1"))
    skipped = read_file(tmp_path / "a.bin")
    assert isinstance(skipped, Skipped)
    assert skipped.reason == "binary"
    assert isinstance(read_file(tmp_path / "wide.ini"), bytes)
    assert isinstance(read_file(tmp_path / "west.ini"), bytes)
