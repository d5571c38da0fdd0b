"""What an approval covers on the disk: which files a command line names, and that every change of them shows."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from locum.broker.content import MAX_FILE, MAX_FILES, Content, gather, names
from locum.broker.memory import Memory, changes
from locum.broker.wire import Grant, LeaseRequest, RenderedFile
from locum.secret import SecretBytes

KEY = b"k" * 32


def request(folder: Path, *argv: str, program: str = "/bin/sh") -> LeaseRequest:
    return LeaseRequest(argv, str(folder), (Grant("API_KEY", "locum://API_KEY"),), str(folder), program=program)


def covered(folder: Path, *argv: str) -> list[str]:
    return [os.path.relpath(item.path, folder) for item in gather(request(folder, *argv), KEY).files]


NAMED = [
    # command line, files that count when they exist
    (["npm", "test"], ["package.json"]),
    (["pnpm", "run", "build"], ["package.json"]),
    (["make", "deploy"], ["Makefile"]),
    (["python3", "tool.py", "--fast"], ["tool.py"]),
    (["python3", "-m", "tool"], ["tool.py"]),
    (["sh", "run.sh"], ["run.sh"]),
    (["node", "--env-file=settings.env", "app.js"], ["settings.env", "app.js", "package.json"]),
    (["curl", "-d", "@body.json", "-Kcurl.conf"], ["body.json", "curl.conf"]),
    (["docker", "compose", "up"], ["compose.yaml"]),
    (["docker", "compose", "-f", "other.yaml", "up"], ["other.yaml", "compose.yaml"]),
    (["pytest", "tests/test_a.py::test_b"], ["conftest.py"]),
    (["env", "X=1", "sh", "run.sh"], ["run.sh"]),
    (["/usr/bin/make"], ["Makefile"]),
]


@pytest.mark.parametrize(("argv", "files"), NAMED, ids=" ".join)
def test_files_that_count(tmp_path: Path, argv: list[str], files: list[str]) -> None:
    for name in {name for _, all_files in NAMED for name in all_files}:
        (tmp_path / name).write_text("x")
    assert sorted(covered(tmp_path, *argv)) == sorted(files)


def test_a_program_that_is_a_script_counts_and_a_binary_is_its_path(tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    found = gather(request(tmp_path, "./tool", program=str(script)), KEY)
    assert [item.path for item in found.files] == [str(script)]
    binary = gather(request(tmp_path, "sh"), KEY)
    assert (binary.files, binary.program) == ((), os.path.realpath("/bin/sh"))
    assert not gather(request(tmp_path, "nothing", program=str(tmp_path / "nothing")), KEY).is_whole


def test_links_are_followed_to_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "real.sh").write_text("x")
    (tmp_path / "link.sh").symlink_to("real.sh")
    assert covered(tmp_path, "sh", "link.sh") == ["real.sh"]


def test_pipes_and_folders_are_no_scripts_and_hold_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert covered(tmp_path, "sh", "pipe", "folder", "/dev/zero", "no\0name") == []


def test_what_is_too_much_is_said_and_nothing_stands_then(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (MAX_FILE + 1))
    found = gather(request(tmp_path, "sh", "big"), KEY)
    assert found.left_out == ("big: more than 1 MiB",)
    assert not found.is_whole
    many = [f"f{number}" for number in range(MAX_FILES + 3)]
    for name in many:
        (tmp_path / name).write_text(name)
    found = gather(request(tmp_path, "sh", *many), KEY)
    assert len(found.files) == MAX_FILES
    assert len(found.left_out) == 3


def test_the_program_itself_may_not_be_known(tmp_path: Path) -> None:
    assert list(names(["x"], "")) == []
    assert not gather(replace(request(tmp_path, "x"), program=""), KEY).is_whole


@pytest.mark.parametrize(
    "change",
    [
        {"argv": ("sh", "b")}, {"cwd": "/"}, {"workspace": "/"}, {"task": "t"}, {"ttl": 1}, {"uses": 2}, {"max_ttl": 9},
        {"die_with_broker": False}, {"production": True}, {"channel": "file"}, {"passes": ("X",)}, {"files": (RenderedFile("/a", "0"),)},
        {"grants": (Grant("API_KEY", "locum://API_KEY", hosts=("a.example",)),)},
        {"grants": (Grant("OTHER", "locum://API_KEY"),)}, {"grants": (Grant("API_KEY", "locum://OTHER"),)},
    ],
)  # fmt: skip
def test_a_yes_is_bound_to_every_word_of_the_request(tmp_path: Path, change: dict[str, object]) -> None:
    asked = request(tmp_path, "sh", "a")
    other = replace(asked, **change)  # pyright: ignore[reportArgumentType] - fields of many types
    assert Content().hash(other) != Content().hash(asked)


def test_a_yes_is_bound_to_the_disk(tmp_path: Path) -> None:
    script = tmp_path / "a.sh"
    script.write_text("one")
    asked = request(tmp_path, "sh", "a.sh")
    first = gather(asked, KEY).hash(asked)
    assert gather(asked, b"other key").hash(asked) == first
    script.write_text("two")
    assert gather(asked, KEY).hash(asked) != first
    script.write_text("one")
    assert gather(asked, KEY).hash(asked) == first
    folder = tmp_path.with_name("moved")
    tmp_path.rename(folder)
    tmp_path.mkdir()
    (tmp_path / "a.sh").write_text("one")
    assert gather(asked, KEY).hash(asked) != first


def test_the_memory_says_what_is_new_and_keeps_no_line(tmp_path: Path) -> None:
    script = tmp_path / "a.sh"
    script.write_text("first\nprivate line\n")
    asked = request(tmp_path, "sh", "a.sh")
    memory = Memory(tmp_path / "approved.json", lambda salt: SecretBytes(KEY + salt))
    assert memory.of(asked) is None
    memory.keep(asked, gather(asked, KEY))
    assert b"private" not in (tmp_path / "approved.json").read_bytes()
    again = Memory(tmp_path / "approved.json", lambda salt: SecretBytes(KEY + salt))
    before = again.of(asked)
    assert before is not None
    assert changes(before, asked, gather(asked, KEY)) == ()
    script.write_text("first\nsecond line\n")
    other = replace(asked, ttl=60, grants=(*asked.grants, Grant("MORE", "locum://MORE")))
    said = changes(before, other, gather(other, KEY))
    assert said == (
        "+ $MORE locum://MORE", "~ time: was 900 s", f"~ {script}: 1 new, 1 gone", "    + second line",
    )  # fmt: skip


def test_a_memory_of_another_hand_is_none(tmp_path: Path) -> None:
    asked = request(tmp_path, "sh")
    path = tmp_path / "approved.json"
    Memory(path, lambda salt: SecretBytes(KEY + salt)).keep(asked, gather(asked, KEY))
    assert Memory(path, lambda salt: SecretBytes(b"x" + salt)).of(asked) is None
    path.write_bytes(path.read_bytes().replace(b"900", b"901"))
    assert Memory(path, lambda salt: SecretBytes(KEY + salt)).of(asked) is None
    for torn in (b"", b"\n", b"x\n{}", b"\xff"):
        path.write_bytes(torn)
        assert Memory(path, lambda salt: SecretBytes(KEY + salt)).of(asked) is None


def test_a_program_may_be_made_while_the_person_is_asked_but_no_script_put_there(tmp_path: Path) -> None:
    made = tmp_path / "made"
    asked = request(tmp_path, "./made", program=str(made))
    before = gather(asked, KEY)
    assert not before.is_whole  # no yes stands for what is not there
    made.write_bytes(b"\x7fELF")
    made.chmod(0o755)
    assert gather(asked, KEY).hash(asked) == before.hash(asked)
    made.write_bytes(b"#!/bin/sh\n")
    assert gather(asked, KEY).hash(asked) != before.hash(asked)
