"""A task that means harm, and a folder that changes under it: they get no more than a person said yes to."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.home import Home, canary

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the proxy and /proc: Linux")


class Ready(Home):
    """A home whose vault holds API_KEY; its value is in `value`."""

    value = ""

    def allow(self, *arguments: str) -> str:
        """Let exactly this run without a question; return what the person saw."""
        terminal = self.terminal("policy", "allow", "--secret", "API_KEY", *arguments)
        terminal.answer()
        assert terminal.wait() == 0, terminal.text
        return terminal.text


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Ready]:
    home = Ready(tmp_path)
    home.init()
    home.value = canary()
    home.store("API_KEY", home.value)
    yield home
    home.close()


PROXIED = ("--channel", "proxy", "--host", "api.example.com")
ASK_AGAIN = """
import os
os.environ["LOCUM_HOME"] = HOME
from locum.broker.client import connect
from locum.broker.wire import Grant, LeaseRequest
from locum.errors import LocumError
grant = Grant("API_KEY", "locum://API_KEY", hosts=("api.example.com",))
folder = os.getcwd()
for argv, program in ((("true",), "/bin/true"), (("python3", "ask.py"), PROGRAM)):
    try:
        with connect(start=False) as client:
            lease = client.request_lease(LeaseRequest(argv, folder, (grant,), folder, channel="proxy", program=program))
            print(len(client.redeem(lease["id"])["API_KEY"].view()))
    except LocumError as error:
        print(error.code)
"""


def test_a_task_behind_the_proxy_asks_the_broker_in_vain(ready: Ready) -> None:
    """Neither as a process of the task, nor by the yes that stands for the task, does it get the value itself."""
    program = shutil.which("python3", path=ready.env["PATH"])
    script = ASK_AGAIN.replace("PROGRAM", repr(program)).replace("= HOME", f"= {str(ready.path)!r}")
    (ready.project / "ask.py").write_text(script)
    ready.allow(*PROXIED, "--", "python3", "ask.py")
    done = ready.run("run", "--secret", "API_KEY", *PROXIED, "--", "python3", "ask.py")
    assert done.stdout.splitlines() == ["denied.nobody", "denied.nobody"]


def test_settings_of_a_file_are_part_of_what_is_allowed(ready: Ready) -> None:
    """A folder that changes its `.env` would choose what runs: `LD_PRELOAD`, `BASH_ENV`, `NODE_OPTIONS`."""
    settings = ready.project / ".env"
    settings.write_text("MODE=fine\n")
    (ready.project / "evil.sh").write_text("echo evil ran\n")
    task = ("--env-file", ".env", "--", "bash", "-c", 'echo "mode $MODE ${#API_KEY}"')
    said = ready.allow(*task)
    assert "settings  of .env" in said
    assert ready.run("run", "--secret", "API_KEY", *task).stdout == "mode fine 32\n"
    token = canary(12)
    settings.write_text(f"MODE=fine\nBASH_ENV=./evil.sh\nLOGIN={token}\n")
    done = ready.run("run", "--secret", "API_KEY", *task, check=3)
    assert "evil ran" not in done.stdout
    terminal = ready.terminal("run", "--secret", "API_KEY", *task)
    terminal.answer("n\n")
    assert terminal.wait() == 3
    said = " ".join(terminal.text.replace("│", " ").split())
    assert ".env: 2 new, 0 gone" in said
    assert "+ BASH_ENV" in terminal.text
    assert token not in terminal.text
    settings.write_text("MODE=fine\n")
    assert ready.run("run", "--secret", "API_KEY", *task).stdout == "mode fine 32\n"


def test_settings_without_references_are_no_file_of_the_task(ready: Ready) -> None:
    """A `.env` of references only says nothing that the question does not say; a pipe is read once, and asked about each time."""
    (ready.project / ".env").write_text("AGAIN=locum://API_KEY\n")
    said = ready.allow("--env-file", ".env", "--", "true")
    assert "│ settings" not in said
    script = " ".join(ready.command("run", "--secret", "API_KEY", "--env-file", "<(echo MODE=piped)", "--"))
    terminal = ready.terminal(command=["bash", "-c", f"{script} sh -c 'echo mode $MODE'".replace("$MODE", '"$MODE"')])
    terminal.answer()
    assert terminal.wait() == 0, terminal.text
    assert "mode piped" in terminal.text


def test_the_program_that_was_allowed_runs_and_none_that_is_put_before_it(ready: Ready) -> None:
    first, second = ready.project / "first", ready.project / "second"
    first.mkdir()
    second.mkdir()
    shutil.copy(shutil.which("true") or "", second / "tool")
    ready.env["PATH"] = f"{first}:{second}:{ready.env['PATH']}"
    terminal = ready.terminal("run", "--secret", "API_KEY", "--", "tool")
    terminal.wait_for("Allow")
    (first / "tool").write_text("#!/bin/sh\necho evil ran\n")
    (first / "tool").chmod(0o755)
    terminal.answer()
    assert terminal.wait() == 0, terminal.text
    assert "evil ran" not in terminal.text


def test_the_question_says_where_a_name_leads(ready: Ready) -> None:
    """The asker chooses the search path: `npm` can be anything."""
    own = ready.project / "own"
    own.mkdir()
    shutil.copy(shutil.which("true") or "", own / "npm")
    ready.env["PATH"] = f"{own}:{ready.env['PATH']}"
    assert f"program {own}/npm" in " ".join(ready.allow("--", "npm", "test").replace("│", " ").split())
    assert "│ program" not in ready.allow("--", "true")


def test_no_yes_stands_for_a_script_behind_a_link_of_the_project(ready: Ready) -> None:
    """The link could be turned between our look and the program's; a link that the project has not can not."""
    (ready.project / "real.sh").write_text("true\n")
    (ready.project / "link.sh").symlink_to("real.sh")
    (ready.path.parent / "shared.sh").write_text("true\n")
    (ready.path.parent / "shared-link.sh").symlink_to("shared.sh")
    for script, stands in (("real.sh", True), ("../shared-link.sh", True), ("link.sh", False)):
        told = ready.run("policy", "explain", "--secret", "API_KEY", "--", "sh", script).stdout
        assert ("A yes may stand" in told) is stands, told
        assert ("can lead elsewhere" in told) is not stands, told
        assert "bound to" in told


def test_a_program_that_is_not_there_moves_no_cursor(ready: Ready) -> None:
    for name in ("\x1b]0;title\x07\x1b[2J", "./\x1b[2J"):
        for with_secret in ((), ("--secret", "API_KEY")):
            done = ready.run("run", *with_secret, "--", name, check=None)
            assert "\x1b" not in done.stderr
            assert done.stderr
