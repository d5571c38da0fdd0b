"""The rendered copy: how the file is read, where the copy is, who can change it, and what is masked of it."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from locum.errors import LocumError, Unavailable, UsageProblem
from locum.rewrite.languages import kind_of
from locum.rewrite.render import render
from locum.rewrite.target import NoSafeEdit
from locum.run.masker import Masker
from locum.run.patterns import WINDOW
from locum.run.rendered import MAX_FILE, MemoryFile, read_template, spelt
from locum.run.visible import literal
from locum.secret import SecretBytes
from support.home import canary

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memfd is Linux's")


def refused(path: Path) -> str:
    with pytest.raises(UsageProblem) as caught:
        read_template(str(path))
    assert caught.value.code == "render.file"
    return caught.value.message


def test_what_is_no_plain_file_is_refused_and_said(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.write_text("locum://A")
    (tmp_path / "link").symlink_to(good)
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "huge").write_bytes(b"x" * (MAX_FILE + 1))
    (tmp_path / "full").write_bytes(b"x" * MAX_FILE)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert "is a link" in refused(tmp_path / "link")
    assert "is a link" in refused(tmp_path / "loop")
    assert "no regular file" in refused(tmp_path / "fifo")
    assert "no regular file" in refused(tmp_path)
    assert "no regular file" in refused(Path("/dev/null"))
    assert "over 1 MiB" in refused(tmp_path / "huge")
    assert "UTF-8" in refused(tmp_path / "bytes")
    assert "no such file" in refused(tmp_path / "absent")
    assert "no such name" in refused(tmp_path / "nul\0")
    assert len(read_template(str(tmp_path / "full")).text) == MAX_FILE


def test_a_file_that_changes_meanwhile_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "app.json"
    path.write_bytes(b"\xef\xbb\xbflocum://A\r\n")
    template = read_template(str(path))
    assert template.text == "\ufefflocum://A\r\n"
    template.check_unchanged()
    path.write_text("locum://B")
    with pytest.raises(UsageProblem) as caught:
        template.check_unchanged()
    assert caught.value.code == "render.changed"
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(UsageProblem):
        template.check_unchanged()


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    return tmp_path / "run"


def test_the_copy_is_private_sealed_and_gone_afterwards(runtime: Path) -> None:
    value = canary()
    copy = MemoryFile("app.json", runtime)
    copy.fill(SecretBytes(value.encode()))
    path = Path(copy.path)
    assert path.name == "app.json"
    assert path.is_symlink()
    assert path.read_text() == path.read_text() == value, "each reader starts at the beginning"
    info = path.stat()
    assert stat.S_ISREG(info.st_mode)
    assert info.st_mode & 0o777 == 0o600, "psql and ssh refuse what others may read"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with pytest.raises(OSError):
        path.write_bytes(b"x")
    with pytest.raises(OSError):
        os.truncate(path, 0)
    assert not [file for file in runtime.rglob("*") if not file.is_symlink() and file.is_file()], "no value on a disk"
    copy.close()
    assert list(runtime.iterdir()) == []


def test_what_a_killed_launcher_left_is_removed_and_what_lives_is_not(runtime: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    for owner in (ended.pid, os.getppid()):
        (runtime / f"rendered-{owner}-x").mkdir(parents=True)
        (runtime / f"rendered-{owner}-x" / "app.json").symlink_to("/proc/1/fd/64")
    (runtime / "agent.sock").touch()
    MemoryFile("a", runtime).close()
    assert {path.name for path in runtime.iterdir()} == {"agent.sock", f"rendered-{os.getppid()}-x"}


def test_it_takes_no_standard_descriptor_and_is_not_inherited_before_it_is_filled(runtime: Path) -> None:
    copy = MemoryFile("a", runtime)
    descriptor = int(Path(copy.path).readlink().name)
    assert descriptor >= 64
    assert not os.get_inheritable(descriptor)
    copy.fill(SecretBytes(b"x"))
    assert os.get_inheritable(descriptor)
    assert fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE
    copy.close()


def test_where_no_link_can_be_the_plain_path_does(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no folder")
    copy = MemoryFile("a", tmp_path / "run")
    copy.fill(SecretBytes(b"text"))
    assert copy.path.startswith("/dev/fd/")
    assert Path(copy.path).read_bytes() == b"text"
    copy.belong_to_this_process()
    copy.close()


@pytest.mark.parametrize("broken", ["absent", "refused"])
def test_without_such_memory_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, runtime: Path, broken: str) -> None:
    def refuse(*_: object) -> int:
        raise OSError(38, "Function not implemented")

    if broken == "absent":
        monkeypatch.delattr(os, "memfd_create")
    else:
        monkeypatch.setattr(os, "memfd_create", refuse)
    with pytest.raises(Unavailable) as caught:
        MemoryFile("a", runtime)
    assert "Linux" in caught.value.message
    assert "locum run --secret" in caught.value.hint


def test_an_older_kernel_does_too(monkeypatch: pytest.MonkeyPatch, runtime: Path) -> None:
    made = os.memfd_create

    def old(name: str, flags: int) -> int:
        if flags & 0x0008:
            raise OSError(22, "Invalid argument")
        return made(name, flags)

    monkeypatch.setattr(os, "memfd_create", old)
    copy = MemoryFile("a", runtime)
    copy.fill(SecretBytes(b"x"))
    copy.close()


def test_no_error_holds_a_value(runtime: Path) -> None:
    value = canary()
    copy = MemoryFile("a", runtime)
    copy.fill(SecretBytes(b"x"))
    with pytest.raises((OSError, LocumError)) as caught:
        copy.fill(SecretBytes(value.encode()))
    assert value not in str(caught.value)
    copy.close()


def test_programs_that_pass_no_descriptors_on_have_children_that_can_read_it(runtime: Path) -> None:
    copy = MemoryFile("app.json", runtime)
    copy.fill(SecretBytes(b"the content"))
    script = "import subprocess, sys; subprocess.run(['cat', sys.argv[1]], close_fds=True)"
    descriptor = int(Path(copy.path).readlink().name)
    done = subprocess.run(
        [sys.executable, "-c", script, copy.path], pass_fds=[descriptor], preexec_fn=copy.belong_to_this_process,
        capture_output=True,
    )  # fmt: skip
    assert done.stdout == b"the content"
    copy.close()


def masked(text: str, copy: str, **values: str) -> list[tuple[str, bytes]]:
    by_reference = {f"locum://{name}": SecretBytes(value.encode()) for name, value in values.items()}
    return [(name, bytes(form.view())) for name, form in spelt(text, SecretBytes(copy.encode()), by_reference)]


@pytest.mark.parametrize(
    ("text", "copy", "found"),
    [
        ("k: 'locum://A'\n", "k: 'abc''defg'\n", [("locum://A", b"abc''defg")]),
        ("k: locum://A # x\n", 'k: "abc:\\tdefg" # x\n', [("locum://A", b'"abc:\\tdefg"')]),
        ("locum://A:locum://B\n", "se\\:cret:other\\:one\n", [("locum://A", b"se\\:cret:other\\:one")]),
        ("k: locum://A\n", "k: plain-value\n", []),
        ("k: locum://A\n", "k: a:b\n", []),
        ("x\nk: locum://A\n", "x\nk: |\n  first line of it\n  x\n", [("locum://A", b"first line of it")]),
        ("no reference\n", "no reference\n", []),
        ('k: "locum:\\/\\/A"\n', 'k: "a\\tb\\tc\\td"\n', [("locum://A", b"a\\tb\\tc\\td")]),
    ],
)
def test_the_spelling_of_a_value_in_the_copy_is_known(text: str, copy: str, found: list[tuple[str, bytes]]) -> None:
    assert masked(text, copy, A="plain-value", B="another") == found


TEMPLATES = [
    ("a.json", '{"key": "before locum://A", "other": 1}\n'),
    ("a.json", '{"key": "locum:\\/\\/A"}\n'),
    ("a.yaml", "key: locum://A # note\nother: 1\n"),
    ("a.yaml", "key: 'locum://A'\n"),
    ("a.yaml", 'key: [x, "locum://A"]\n'),
    ("a.yaml", "key: |\n  locum://A\nother: 1\n"),
    ("a.toml", 'key = "locum://A"\n'),
    ("a.ini", "[app]\nkey = locum://A\n"),
    ("a.properties", "key=locum://A\n"),
    ("a.xml", "<a b='locum://A'>locum://A</a>\n"),
    (".npmrc", "//registry.example.org/:_authToken=locum://A\n"),
    (".netrc", "machine example.org login me password locum://A\n"),
    (".pgpass", "db.example.org:5432:app:me:locum://A\n"),
    ("a.other", "key locum://A other\n"),
]
SPECIAL = st.text(st.sampled_from("ab \"'\\\n\t:#$&<>{}[],%=!é\u2028"), min_size=14, max_size=30)


@pytest.mark.parametrize(("path", "text"), TEMPLATES)
@settings(max_examples=40, deadline=None)
@given(value=st.text(st.characters(codec="utf-8"), min_size=12, max_size=40) | SPECIAL)
def test_no_reader_of_the_copy_shows_the_value(path: str, text: str, value: str) -> None:
    """Whatever is written of the copy, the value is masked as it is spelt there: with quotes, escapes, on several lines."""
    values = {"locum://A": SecretBytes(value.encode())}
    assume(len(literal(value.encode())) >= WINDOW)
    try:
        copy = render(text, kind_of(path, ""), values)
    except NoSafeEdit:
        return
    mask = Masker(values, spelt(text, copy, values))
    content = bytes(copy.view())
    seen = literal(mask.feed(content) + mask.flush())
    for gram in grams(content) - grams(text.encode()):
        assert gram not in seen


def grams(text: bytes) -> set[bytes]:
    """Return what the mask promises not to write: every WINDOW bytes, white space left out."""
    normal = literal(text)
    return {normal[at : at + WINDOW] for at in range(len(normal) - WINDOW + 1)}


@given(st.text(min_size=6, max_size=40), st.text(max_size=10), st.text(max_size=10))
def test_whatever_json_makes_of_a_value_is_known(value: str, before: str, after: str) -> None:
    template = json.dumps({"k": f"{before}locum://A{after}"})
    start = template.index("locum://A")
    spelling = json.dumps(value)[1:-1]
    copy = template[:start] + spelling + template[start + len("locum://A") :]
    found = masked(template, copy, A=value)
    assert found in ([("locum://A", spelling.encode())], [])
    assert found or spelling == value or copy == template
