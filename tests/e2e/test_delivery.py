"""Every way in which a task gets its values, on real parts: what it sees, what others see, what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from locum.paths import memory_dir, user_paths
from support.home import Home, canary


class Ready(Home):
    """A home whose vault holds API_KEY; its value is in `value`."""

    value = ""

    def ask(self, *arguments: str, code: int = 0) -> str:
        terminal = self.terminal("run", *arguments)
        terminal.answer()
        assert terminal.wait() == code, terminal.text
        assert self.value not in terminal.text
        return terminal.text


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ready]:
    home = Ready(tmp_path)
    home.init()
    home.value = canary()
    home.store("API_KEY", home.value)
    monkeypatch.setenv("LOCUM_HOME", str(home.path))
    yield home
    home.close()


def digest(value: str) -> str:
    return (
        subprocess.run(["sha256sum"], input=value.encode(), capture_output=True, check=True).stdout.decode().split()[0]
    )


FILE = 'sha256sum <"$API_KEY"; test "$API_KEY" = "$API_KEY_FILE" && stat -c "%a %F" -L "$API_KEY"'


def test_a_file_is_private_in_memory_and_gone(ready: Ready) -> None:
    said = ready.ask("--secret", "API_KEY", "--channel", "file", "--", "sh", "-c", FILE + '; echo "at $API_KEY"')
    assert digest(ready.value) in said
    assert "600 regular file" in said
    assert "in a file in memory, whose path is in $API_KEY" in " ".join(said.replace("│", " ").split())
    path = Path(said.partition("\nat ")[2].split()[0])
    assert not path.exists()
    assert not path.parent.exists()


def test_a_killed_launcher_leaves_no_file(ready: Ready) -> None:
    terminal = ready.terminal(
        "run", "--secret", "API_KEY", "--channel", "file", "--", "sh", "-c", 'echo "$API_KEY" >path; exec sleep 60'
    )
    terminal.answer()
    noted = ready.project / "path"
    end = time.monotonic() + 20
    while not (noted.exists() and noted.read_text().endswith("\n")):
        assert time.monotonic() < end
        time.sleep(0.05)
    path = Path(noted.read_text().strip())
    assert path.exists()
    os.kill(terminal.pid(), signal.SIGKILL)
    while path.exists():  # the broker cleans up: nobody has to start another task first
        assert time.monotonic() < end
        time.sleep(0.05)


def test_sealed_memory_is_inherited(ready: Ready) -> None:
    script = FILE + '; cat <&$API_KEY_FD | sha256sum; (echo more >>"$API_KEY") 2>&1 | grep -c "not permitted"'
    said = ready.ask("--secret", "API_KEY", "--channel", "fd", "--", "bash", "-c", script)
    assert said.count(digest(ready.value)) == 2
    assert "\n1\r\n" in said  # nobody can write to it


def test_standard_input_is_the_value_and_ends(ready: Ready) -> None:
    said = ready.ask("--secret", "API_KEY", "--channel", "stdin", "--", "sh", "-c", 'sha256sum; echo "env: $API_KEY."')
    assert digest(ready.value) in said
    assert "env: ." in said
    ready.store("OTHER", canary())
    two = ("run", "--secret", "API_KEY", "--secret", "OTHER", "--channel", "stdin", "--", "cat")
    done = ready.run(*two, check=2)
    assert "standard input takes one secret" in done.stderr


def test_a_pipe_gives_once(ready: Ready) -> None:
    script = 'sha256sum <"$API_KEY"; cat "$API_KEY" 2>&1 | head -c 200'
    said = ready.ask("--secret", "API_KEY", "--channel", "fifo", "--", "sh", "-c", script)
    assert said.count(digest(ready.value)) == 1
    assert "No such file" in said


def test_a_pipe_that_nobody_reads_holds_nothing_up(ready: Ready) -> None:
    ready.ask("--secret", "API_KEY", "--channel", "fifo", "--", "true")


@pytest.mark.parametrize("channel", ["file", "fd", "stdin", "fifo"])
def test_what_it_prints_is_masked(ready: Ready, channel: str) -> None:
    script = "cat" if channel == "stdin" else 'cat "$API_KEY"'
    assert "locum://API_KEY" in ready.ask("--secret", "API_KEY", "--channel", channel, "--", "sh", "-c", script)


def test_a_field_of_a_value(ready: Ready) -> None:
    ready.store("DATABASE", f'{{"host": "db.example", "key": "{ready.value}"}}')
    said = ready.ask("--secret", "DB=locum://DATABASE#key", "--", "sh", "-c", 'printf %s "$DB" | sha256sum; echo "$DB"')
    assert digest(ready.value) in said
    assert "locum://DATABASE#key" in said
    done = ready.ask("--secret", "DB=locum://DATABASE#nope", "--", "touch", "started", code=3)
    assert "the value has no field nope" in done
    assert "db.example" not in done
    assert not (ready.project / "started").exists()


def test_the_task_gets_the_usual_and_its_own(ready: Ready) -> None:
    more: dict[str, Any] = {
        "GITHUB_TOKEN": canary(),
        "NODE_ENV": "x",
        "APP_ONE": "1",
        "APP_TWO": "2",
        "CLAUDECODE": "1",
        "LC_ALL": "C.UTF-8",
    }
    done = ready.run("run", "--", "env", **more)
    got = {line.partition("=")[0] for line in done.stdout.splitlines()}
    assert "GITHUB_TOKEN" not in got
    assert "APP_ONE" not in got
    assert {"PATH", "CLAUDECODE", "NODE_ENV", "LC_ALL"} <= got
    done = ready.run("run", "--pass", "APP_*", "--pass", "GITHUB_TOKEN", "--", "env", **more)
    assert {"APP_ONE=1", "APP_TWO=2"} <= set(done.stdout.splitlines())
    assert "GITHUB_TOKEN" in done.stdout
    assert not [name for name in got if name.startswith("LOCUM_")]


def test_the_task_of_a_lease_has_exactly_what_show_env_says(ready: Ready) -> None:
    listed = ready.run("run", "--secret", "API_KEY", "--show-env", "--", "env").stdout.split()
    terminal = ready.terminal(
        "run", "--secret", "API_KEY", "--", "sh", "-c", "env -0 | tr '\\n\\0' ' \\n' | cut -d= -f1 >names"
    )
    terminal.answer()
    assert terminal.wait() == 0, terminal.text
    got = set((ready.project / "names").read_text().split())
    assert "API_KEY" in got
    assert got - {"_", "TERM"} == set(listed) - {"_", "TERM"} | (got & {"SHLVL", "PWD", "OLDPWD"} - set(listed))


def test_a_workspace_file_fetches_nothing_from_the_persons_environment(ready: Ready) -> None:
    (ready.project / ".env").write_text('A=one\nB="${A}-${GITHUB_TOKEN}-${PATH}"\nexport C=three\n')
    (ready.project / "more.env").write_text("A=two\n")
    said = ready.run(
        "run", "--env-file", ".env", "--env-file", "more.env", "--", "env", GITHUB_TOKEN=canary(), PATH="/bin:/usr/bin"
    ).stdout
    assert {"A=two", "B=one--/bin:/usr/bin", "C=three"} <= set(said.splitlines())


def test_an_argument_that_the_shell_has_emptied_is_told(ready: Ready) -> None:
    assert "Did your shell expand $API_KEY" in ready.ask("--secret", "API_KEY", "--", "echo", "")
    assert "Did your shell expand" in ready.ask("--secret", "API_KEY", "--", "echo")
    assert "Did your shell" not in ready.ask("--secret", "API_KEY", "--", "echo", "x")


def test_one_question_a_task(ready: Ready) -> None:
    """A hundred processes of an allowed task ask for what it has; nobody is asked again, and a sibling gets nothing."""
    locum = " ".join(
        ready.command("run", "--secret", "AGAIN=locum://API_KEY", "--", "sh", "-c", "'test -n \"$AGAIN\" && echo -n .'")
    )
    script = f"for i in $(seq {os.environ.get('LOCUM_RESOLVES', '12')}); do {locum}; done; {locum.replace('API_KEY', 'OTHER')}"
    ready.store("OTHER", canary())
    terminal = ready.terminal(
        "run",
        "--secret",
        "API_KEY",
        "--pass",
        "LOCUM_*",
        "--pass",
        "PYTHONPATH",
        "--",
        "sh",
        "-c",
        f"export LOCUM_HOME={ready.path}; {script}",
    )
    terminal.answer()
    terminal.wait_for("Allow", 60)
    end = time.monotonic() + 120
    while terminal.text.count("Allow") < 2:  # the last one asks for another secret
        assert time.monotonic() < end, terminal.text
        terminal.wait_for("Allow")
        terminal._read(0.2)
    time.sleep(0.7)
    terminal.type("n\n")
    assert terminal.wait(60) == 3
    grants = [
        r for r in ready.json("audit", "show", "--last", "400")["records"] if r["api"]["operation"] == "lease.grant"
    ]
    derived = [record for record in grants if record["unmapped"]["approved_by"].startswith("lease:")]
    assert len(derived) == int(os.environ.get("LOCUM_RESOLVES", "12"))
    assert len(grants) == len(derived) + 1


def test_there_is_memory_for_files(ready: Ready) -> None:
    folder = memory_dir(user_paths())
    assert folder is not None
    assert not list(folder.glob("lease-*")) if folder.exists() else True
