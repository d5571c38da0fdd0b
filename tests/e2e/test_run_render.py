"""`locum run --render FILE` on real parts: a program reads a configuration file that holds references, and gets values."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from locum.broker.start import start_with_control
from locum.paths import user_paths
from support.bed import missing
from support.home import Home, canary
from support.terminal import Terminal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memfd is Linux's")

SHOW = (
    "import hashlib, json, sys; print('digest', hashlib.sha256(json.load(open(sys.argv[1]))['k'].encode()).hexdigest())"
)


class Ready(Home):
    """A home whose vault holds API_KEY; `value` is hard to spell, and `value` as JSON is something else."""

    value = ""


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Ready]:
    home = Ready(tmp_path)
    home.init()
    home.value = f'"{canary(12)}\\{canary(12)}é'
    home.store("API_KEY", home.value)
    (home.project / "app.json").write_text('{"k": "locum://API_KEY"}\n')
    yield home
    home.close()


def asked(home: Ready, *arguments: str, code: int = 0, answer: str = "y\n") -> Terminal:
    """Run, answer, and see that no form of the value was shown."""
    terminal = home.terminal("run", *arguments)
    terminal.answer(answer)
    assert terminal.wait() == code, terminal.text
    for form in (home.value, json.dumps(home.value)[1:-1], json.dumps(home.value, ensure_ascii=False)[1:-1]):
        assert form.encode() not in terminal.output
    return terminal


def digest(value: str) -> str:
    import hashlib

    return f"digest {hashlib.sha256(value.encode()).hexdigest()}"


@pytest.mark.parametrize("argument", ["app.json", "./app.json", "{project}/app.json"])
def test_the_program_reads_the_value_and_the_file_keeps_the_reference(ready: Ready, argument: str) -> None:
    argument = argument.format(project=ready.project)
    terminal = asked(ready, "--render", "app.json", "--", "python3", "-c", SHOW, argument)
    for shown in ("locum://API_KEY", "in a copy of app.json", "from your local vault", "1 secret?"):
        assert shown in terminal.text
    assert digest(ready.value) in terminal.text
    assert (ready.project / "app.json").read_text() == '{"k": "locum://API_KEY"}\n'
    assert ready.value.encode() not in ready.everything_written()
    assert list((ready.path / "run").glob("rendered-*")) == []


def test_what_the_program_prints_of_the_copy_is_masked_as_it_is_spelt(ready: Ready) -> None:
    terminal = asked(ready, "--render", "app.json", "--", "cat", "app.json")
    assert '{"k": "locum://API_KEY"}' in terminal.text


def test_the_value_is_in_no_variable_and_in_no_argument(ready: Ready) -> None:
    script = (
        "import json, os, sys; value = json.load(open(sys.argv[1]))['k']; everything = repr(dict(os.environb)) + repr(sys.argv); "
        "print('found', value[1:10] in everything, [n for n in os.environ if n.startswith('LOCUM')], os.path.basename(sys.argv[1]))"
    )
    terminal = asked(ready, "--render", "app.json", "--", "python3", "-c", script, "app.json")
    assert "found False [] app.json" in terminal.text


def test_a_variable_may_name_the_file_and_a_child_of_a_child_may_read_it(ready: Ready) -> None:
    ready.env["APP_CONFIG"] = "./app.json"
    script = f"import os, subprocess, sys; subprocess.run([sys.executable, '-c', {SHOW!r}, os.environ['APP_CONFIG']], check=True)"
    terminal = asked(ready, "--render", "app.json", "--", "python3", "-c", script)
    assert digest(ready.value) in terminal.text


def test_several_files_and_a_variable_beside_them(ready: Ready) -> None:
    other = canary()
    ready.store("OTHER", other)
    (ready.project / "two").mkdir()
    (ready.project / "two" / "app.json").write_text('{"k": "locum://OTHER", "again": "locum://API_KEY"}')
    script = f"import os; {SHOW}; sys.argv[1] = sys.argv[2].partition('=')[2]; {SHOW}; print(len(os.environ['OTHER']))"
    terminal = asked(
        ready, "--render", "app.json", "--render", "two/app.json", "--render", "./app.json", "--secret", "OTHER", "--",
        "python3", "-c", script, "app.json", "--config=two/app.json",
    )  # fmt: skip
    assert "2 secrets?" in terminal.text
    assert terminal.text.count("in a copy of app.json") == 1
    assert digest(ready.value) in terminal.text
    assert digest(other) in terminal.text
    assert "\n32" in terminal.text.replace("\r", "")


def test_where_the_syntax_cannot_hold_a_value_nothing_is_started(ready: Ready) -> None:
    ready.store("BYTES", "made up\0with a NUL")
    (ready.project / "app.ini").write_text("[app]\nkey = locum://BYTES\n")
    terminal = asked(ready, "--render", "app.ini", "--", "touch", "started", "app.ini", code=2)
    assert not (ready.project / "started").exists()
    assert "cannot render app.ini" in terminal.text
    assert ready.json("lease", "list")["leases"] == []


def test_a_file_that_changes_while_the_person_reads_is_not_rendered(ready: Ready) -> None:
    terminal = ready.terminal("run", "--render", "app.json", "--", "touch", "started", "app.json")
    terminal.wait_for("Allow")
    (ready.project / "app.json").write_text('{"other": "locum://API_KEY"}')
    terminal.answer()
    assert terminal.wait() == 2
    assert "app.json was changed while you were asked" in terminal.text
    assert not (ready.project / "started").exists()
    records = ready.json("audit", "show")["records"]
    assert "lease.use" not in [record["api"]["operation"] for record in records]


@pytest.mark.parametrize(
    ("file", "command", "said"),
    [
        ("app.json", ["cat", "other.json"], "no argument of the command names app.json"),
        ("app.json", ["./app.json"], "no argument of the command names app.json"),
        ("link.json", ["cat", "link.json"], "it is a link"),
        ("fifo", ["cat", "fifo"], "no regular file"),
        ("huge", ["cat", "huge"], "over 1 MiB"),
        ("absent", ["cat", "absent"], "no such file"),
        ("plain", ["cat", "plain"], "holds no reference"),
    ],
)
def test_what_cannot_be_rendered_is_told_before_anybody_is_asked(
    ready: Ready, file: str, command: list[str], said: str
) -> None:
    (ready.project / "link.json").symlink_to("app.json")
    os.mkfifo(ready.project / "fifo")
    (ready.project / "huge").write_bytes(b"x" * (1 << 20) + b"x")
    (ready.project / "plain").write_text("nothing")
    done = ready.run("run", "--render", file, "--", *command, check=2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reference_that_the_vault_lacks_is_told_before_anybody_is_asked(ready: Ready) -> None:
    (ready.project / "app.json").write_text('{"k": "locum://API_KEYS"}')
    done = ready.run("run", "--render", "app.json", "--", "cat", "app.json", check=None)
    assert done.returncode != 0
    assert "Did you mean API_KEY?" in done.stderr


def test_without_a_person_the_copy_is_never_made(ready: Ready) -> None:
    done = ready.run("run", "--render", "app.json", "--", "cat", "app.json", check=3)
    assert done.stdout == ""
    assert list((ready.path / "run").glob("rendered-*")) == []


def test_the_question_and_the_record_name_file_and_reference(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUM_HOME", str(ready.path))
    ready.run("broker", "stop")
    channel = start_with_control(user_paths())
    assert channel is not None
    task = ready.terminal("run", "--render", "app.json", "--", "sh", "-c", 'sleep 1; cat "$1"', "sh", "app.json")
    question = channel.next_question(20)
    assert question is not None
    assert question["names"] == ["locum://API_KEY"]
    assert question["argv"][-1] == "app.json"
    channel.answer(question["id"], allow=True)
    time.sleep(0.5)
    (lease,) = ready.json("lease", "list")["leases"]
    assert lease["files"] == [str(ready.project / "app.json")]
    assert lease["env"] == []
    assert task.wait() == 0
    channel.close()
    text = json.dumps(ready.json("audit", "show"))
    assert "locum://API_KEY" in text
    assert ready.value not in text


TOML = 'import sys, tomllib; print(tomllib.load(open(sys.argv[1], "rb"))["key"])'
NODE = (
    'console.log(JSON.parse(require("child_process").execFileSync("cat", [process.argv[1]], {encoding: "utf8"})).key)'
)
RUBY = 'puts YAML.load_file(ARGV[0])["app"]["key"]'
READERS = [
    ("app.conf", "[app]\n\tkey = locum://PLAIN\n", ["git", "config", "--file=app.conf", "app.key"]),
    ("app.yml", "app:\n  key: locum://PLAIN # note\n", ["ruby", "-ryaml", "-e", RUBY, "./app.yml"]),
    ("app.json", '{"key": "locum://PLAIN"}', ["node", "-e", NODE, "app.json"]),
    ("app.toml", 'key = "locum://PLAIN"\n', ["python3", "-c", TOML, "app.toml"]),
    ("pass.txt", "locum://PLAIN\n", ["openssl", "enc", "-a", "-in", "pass.txt"]),
]


@pytest.mark.parametrize(
    ("file", "text", "command"), READERS, ids=lambda part: part[0] if isinstance(part, list) else None
)
def test_real_programs_read_the_copy(ready: Ready, file: str, text: str, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        missing(f"no {command[0]} here: run `python tests/bed/install.py`")
    value = canary()
    ready.store("PLAIN", value)
    (ready.project / file).write_text(text.replace("locum://PLAIN", value))
    wanted = subprocess.run(command, cwd=ready.project, capture_output=True, check=True).stdout
    (ready.project / file).write_text(text)
    terminal = asked(ready, "--render", file, "--", "sh", "-c", '"$@" >printed', "sh", *command)
    assert terminal.wait() == 0
    assert (ready.project / "printed").read_bytes() == wanted
    assert wanted.strip()
