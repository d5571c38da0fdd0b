"""`locum run --mount FILE` on real parts: a program finds the values at the file's own path, and nobody else does.

Run by root, each test is done twice: as root, and as a user without any rights, who needs a user namespace.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.bed import missing
from support.home import Home, canary
from support.nobody import AS_NOBODY, NOBODY
from support.terminal import Terminal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mount namespaces are Linux's")


class Ready(Home):
    """A home whose vault holds API_KEY, and `app.json` with a reference to it. `user` is "" for who runs the tests."""

    value = ""

    def __init__(self, base: Path, user: list[str], python: str) -> None:
        super().__init__(base)
        self.user = user
        self.python = python
        if user:
            self.env |= {"HOME": str(base), "PATH": "/usr/local/bin:/usr/bin:/bin"}
            for path in (base, self.path, self.project):
                os.chown(path, NOBODY, NOBODY)

    def command(self, *arguments: str) -> list[str]:
        return [*self.user, self.python, "-m", "locum", *arguments]

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project that the user owns."""
        path = self.project / name
        path.write_text(text)
        if self.user:
            os.chown(path, NOBODY, NOBODY)
        return path

    def ask(self, *arguments: str, code: int = 0) -> Terminal:
        """Run, say yes, and see that no form of the value was shown or kept."""
        terminal = self.terminal("run", *arguments)
        terminal.answer()
        assert terminal.wait() == code, terminal.text
        for form in (self.value, json.dumps(self.value)[1:-1]):
            assert form.encode() not in terminal.output
            assert form.encode() not in self.everything_written()
        return terminal


@functools.cache
def why_not(user: tuple[str, ...]) -> str:
    """Say why this system gives a user no namespace; "" when it does."""
    command = (
        ["unshare", "--mount", "true"] if not user and os.geteuid() == 0 else ["unshare", "-U", "-m", "-r", "true"]
    )
    done = subprocess.run([*user, *command], capture_output=True, text=True)
    return "" if done.returncode == 0 else f"no namespaces here: {done.stderr.strip()}"


@pytest.fixture(params=["as it is", "without rights"])
def ready(request: pytest.FixtureRequest) -> Iterator[Ready]:
    user = AS_NOBODY if request.param == "without rights" else []
    if user and os.geteuid() != 0:
        pytest.skip("only root can become another user; as it is, this user has no rights either")
    if why_not(tuple(user)):
        pytest.skip(why_not(tuple(user)))
    python = request.getfixturevalue("plain_python") if user else sys.executable
    if not python:
        missing("no Python of this version that a user without rights may run")
    base = Path(tempfile.mkdtemp(prefix="mount-test-"))
    base.chmod(0o755)
    home = Ready(base, user, python)
    home.init()
    home.value = f'"{canary(12)}\\{canary(12)}é'
    home.store("API_KEY", home.value)
    home.write("app.json", '{"k": "locum://API_KEY"}\n')
    yield home
    home.close()
    until(lambda: not (home.path / "run" / "agent.sock").exists())
    shutil.rmtree(base, ignore_errors=True)  # the broker may still write its last line


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def digest(value: str) -> str:
    return f"digest {hashlib.sha256(value.encode()).hexdigest()}"


SHOW = (
    "import hashlib, json, pathlib; print('digest', hashlib.sha256("
    "json.loads(pathlib.Path('{project}/app.json').resolve(strict=True).read_bytes())['k'].encode()).hexdigest())"
)
PHP = "echo 'digest ', hash('sha256', json_decode(file_get_contents('./app.json'))->k), PHP_EOL;"
NODE = "console.log('digest', require('crypto').createHash('sha256').update(require('./app.json').k, 'utf8').digest('hex'))"
PROGRAMS = {
    "python": ["python3", "-c", SHOW],
    "php": ["php", "-r", PHP],
    "node": ["node", "-e", NODE],
    "child": ["sh", "-c", 'cd / && env -i PATH="$PATH" sh -c \'"$@"; exit $?\' sh "$@"', "sh", "python3", "-c", SHOW],
    "daemon": ["sh", "-c", 'setsid -w "$@"', "sh", "python3", "-c", SHOW],
}


def files_of(home: Home) -> list[Path]:
    """All files of the home but the memory of what was allowed, which holds no value and comes with the first yes."""
    return sorted(path for path in home.path.rglob("*") if path.name != "approved.json")


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_that_have_the_path_built_in_find_the_value(ready: Ready, program: str) -> None:
    command = [part.replace("{project}", str(ready.project)) for part in PROGRAMS[program]]
    if shutil.which(command[0], path=ready.env["PATH"]) is None:
        missing(f"no {command[0]} here: run `python tests/bed/install.py`")
    before = files_of(ready)
    terminal = ready.ask("--mount", "app.json", "--", *command)
    assert digest(ready.value) in terminal.text
    for shown in ("locum://API_KEY", "at app.json, in a mount that only the task sees", "1 secret?"):
        assert shown in terminal.text
    assert (ready.project / "app.json").read_text() == '{"k": "locum://API_KEY"}\n'
    assert files_of(ready) == before
    assert "ramfs" not in Path("/proc/mounts").read_text()


def test_what_the_program_prints_of_the_copy_is_masked_as_it_is_spelt(ready: Ready) -> None:
    terminal = ready.ask("--mount", "app.json", "--", "cat", "app.json")
    assert '{"k": "locum://API_KEY"}' in terminal.text


def test_between_pipes_it_is_masked_too(ready: Ready) -> None:
    line = '"$@" >out 2>err </dev/null'
    command = ready.command("run", "--mount", "app.json", "--", "sh", "-c", "cat app.json; cat app.json >&2")
    (ready.project / "out").touch()
    terminal = ready.terminal(command=["sh", "-c", line, "sh", *command])
    terminal.answer()
    assert terminal.wait() == 0
    assert (ready.project / "out").read_text() == '{"k": "locum://API_KEY"}\n'
    assert (ready.project / "err").read_text().endswith('{"k": "locum://API_KEY"}\n')


def test_several_files_and_one_by_its_name(ready: Ready) -> None:
    other = canary()
    ready.store("OTHER", other)
    ready.write("other.ini", "[a]\nk = locum://OTHER\n")
    ready.write("named.txt", "locum://OTHER")
    script = (
        f"{SHOW.replace('{project}', str(ready.project))}; import configparser, sys; c = configparser.ConfigParser(); "
        "c.read('other.ini'); print(c['a']['k'] == open(sys.argv[1]).read())"
    )
    terminal = ready.ask(
        "--mount", "app.json", "--mount", "other.ini", "--mount", "./app.json", "--render", "named.txt", "--",
        "python3", "-c", script, "named.txt",
    )  # fmt: skip
    assert digest(ready.value) in terminal.text
    assert "True" in terminal.text
    assert terminal.text.count("at app.json, in") == 1
    assert "in a copy of named.txt" in terminal.text


def test_the_copy_has_the_files_mode_and_owner_and_cannot_be_changed(ready: Ready) -> None:
    (ready.project / "app.json").chmod(0o640)
    script = (
        "stat -c 'mode %a' app.json; [ -O app.json ] && echo mine; echo x >app.json || echo refused; "
        "mv app.json b 2>/dev/null || echo stays; rm -f app.json 2>/dev/null || echo remains; chmod 777 app.json || echo kept"
    )
    terminal = ready.ask("--mount", "app.json", "--", "sh", "-c", script)
    for shown in ("mode 640", "mine", "refused", "stays", "remains", "kept", "Read-only file system"):
        assert shown in terminal.text
    assert (ready.project / "app.json").read_text() == '{"k": "locum://API_KEY"}\n'


def test_a_file_in_a_folder_that_the_task_may_not_write(ready: Ready) -> None:
    folder = ready.project / "conf"
    folder.mkdir()
    (folder / "app.json").write_text('{"k": "locum://API_KEY"}')
    (folder / "app.json").chmod(0o444)
    folder.chmod(0o555)
    script = SHOW.replace("{project}", str(folder))
    terminal = ready.ask("--mount", "conf/app.json", "--", "python3", "-c", script)
    assert digest(ready.value) in terminal.text


def test_the_task_keeps_user_folder_and_terminal(ready: Ready) -> None:
    terminal = ready.ask("--mount", "app.json", "--", "sh", "-c", "id -u; pwd; tty; stty size; test -t 0 && echo on")
    user = NOBODY if ready.user else os.geteuid()
    for shown in (f"\n{user}\n", str(ready.project), "/dev/pts/", "24 120", "\non"):
        assert shown in terminal.text.replace("\r", "")


def test_nobody_else_sees_it_while_the_task_runs_and_nothing_stays(ready: Ready) -> None:
    terminal = ready.terminal("run", "--mount", "app.json", "--", "sh", "-c", "echo $$ >pid; exec sleep 60")
    terminal.answer()
    until(lambda: (ready.project / "pid").exists() and (ready.project / "pid").read_text().strip() != "")
    pid = int((ready.project / "pid").read_text())
    assert "ramfs" in Path(f"/proc/{pid}/mounts").read_text()
    for other in ("self", terminal.pid(), 1):
        assert "ramfs" not in Path(f"/proc/{other}/mounts").read_text()
    assert (ready.project / "app.json").read_text() == '{"k": "locum://API_KEY"}\n'
    assert ready.value.encode() not in ready.everything_written()
    space = Path(f"/proc/{pid}/ns/mnt").stat().st_ino
    os.kill(terminal.pid(), signal.SIGKILL)
    terminal.wait()
    until(lambda: space not in namespaces())
    assert {path.name for path in (ready.path / "run").iterdir()} <= {"agent.sock", "broker.lock", "start.lock"}
    if os.geteuid() == 0:
        shutil.rmtree(ready.project)  # nothing is mounted there
        ready.project.mkdir()


def test_a_killed_task_leaves_nothing(ready: Ready) -> None:
    script = "readlink /proc/self/ns/mnt >space; kill -9 $$"
    ready.ask("--mount", "app.json", "--", "sh", "-c", script, code=128 + signal.SIGKILL)
    space = int((ready.project / "space").read_text().strip().strip("mnt:[]"))
    assert space not in namespaces()


def namespaces() -> set[int]:
    """Return the mount namespaces that a process of this system lives in, or keeps open."""
    found: set[int] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.add((process / "ns" / "mnt").stat().st_ino)
            found |= {
                path.stat().st_ino for path in (process / "fd").iterdir() if str(path.readlink()).startswith("mnt:")
            }
    return found


def replace_by_a_link(path: Path) -> None:
    path.rename(path.with_name("other.json"))
    path.symlink_to("other.json")


def replace_by_an_equal_one(path: Path) -> None:
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").replace(path)


def replace_the_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.symlink_to("moved")


@pytest.mark.parametrize(
    "change", [lambda path: path.write_text("{}"), replace_by_a_link, replace_by_an_equal_one, replace_the_folder]
)
def test_a_file_that_is_replaced_while_the_person_reads_is_not_used(
    ready: Ready, change: Callable[[Path], object]
) -> None:
    folder = ready.project / "conf"
    folder.mkdir()
    ready.write("conf/app.json", '{"k": "locum://API_KEY"}')
    terminal = ready.terminal("run", "--mount", "conf/app.json", "--", "touch", f"{ready.path}/started")
    terminal.wait_for("Allow")
    change(folder / "app.json")
    terminal.answer()
    assert terminal.wait() == 2
    assert not (ready.path / "started").exists()
    assert any(said in terminal.text for said in ("was changed while you were asked", "it is a link"))
    assert "lease.use" not in [record["api"]["operation"] for record in ready.json("audit", "show")["records"]]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--mount", "link.json"], 2, "it is a link"),
        (["--mount", "absent"], 2, "no such file"),
        (["--mount", "plain"], 2, "holds no reference"),
        (["--mount", "app.json", "--render", "./app.json"], 2, "is given to --render and to --mount"),
        (["--render", "app.json"], 2, "needs --mount app.json"),
        (["--mount", "app.json"], 3, "nobody"),
    ],
)
def test_what_cannot_be_is_told_before_anybody_is_asked(
    ready: Ready, arguments: list[str], code: int, said: str
) -> None:
    (ready.project / "link.json").symlink_to("app.json")
    ready.write("plain", "nothing")
    done = ready.run("run", *arguments, "--", "touch", "started", check=code)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (ready.project / "started").exists()
