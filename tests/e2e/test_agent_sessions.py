"""An agent's session as a scope of leases: real agents' processes, a real broker, real tasks, the record."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from locum.broker.agent_sessions import LIVES, MOST_OF_ONE, OPENED_A_MINUTE
from locum.broker.client import connect
from locum.broker.start import ControlChannel, start_with_control
from locum.errors import Unavailable
from locum.paths import user_paths
from support.agent import Agent, asks
from support.bed import missing
from support.home import ROOT, Home, canary


class Watched(Home):
    """A home whose vault holds API_KEY, with an editor that says yes to every question and keeps it."""

    value = ""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.channel: ControlChannel | None = None
        self.questions: list[dict[str, Any]] = []
        self.answering = True
        self._over = threading.Event()
        self._person = threading.Thread(target=self._answer, daemon=True)
        self._agents: list[Agent] = []

    def begin(self) -> None:
        self.value = canary()
        self.store("API_KEY", self.value)
        self.run("broker", "stop")
        self.channel = start_with_control(user_paths())
        self._person.start()

    def agent(self, *under: str) -> Agent:
        made = Agent(self.env, self.project, under=under)
        self._agents.append(made)
        return made

    def end(self) -> None:
        self._over.set()
        self._person.join(10)
        for agent in self._agents:
            if agent.process.poll() is None:
                agent.kill()
        if self.channel is not None:
            self.channel.close()
        self.close()

    def task(self, *argv: str) -> list[str]:
        """Return a command line that runs a task which has the secret."""
        return self.command("run", "--secret", "API_KEY", "--", *argv)

    def _answer(self) -> None:
        assert self.channel is not None
        with contextlib.suppress(Unavailable):
            while not self._over.is_set():
                question = self.channel.next_question(0.1)
                if question is not None:
                    self.questions.append(question)
                    if self.answering:
                        self.channel.answer(question["id"], allow=True)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    home = Watched(tmp_path)
    monkeypatch.setenv("LOCUM_HOME", str(home.path))
    home.init()
    home.begin()
    yield home
    home.end()


def wait_until(condition: Callable[[], object], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def leases() -> list[dict[str, Any]]:
    with connect(start=False) as client:
        return client.list_leases()


def sessions() -> dict[str, dict[str, Any]]:
    with connect(start=False) as client:
        return {item["session"]: item for item in client.list_sessions()}


def records(home: Home) -> list[tuple[str, str, str]]:
    """Return operation, session and client of every record."""
    shown = home.json("audit", "show", "--last", "1000")["records"]
    return [
        (one["api"]["operation"], one["unmapped"].get("session", ""), one["unmapped"].get("client", ""))
        for one in shown
    ]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:
        return True


OPEN = "open_session('s-1', 'claude')"


def wrapped(how: str, command: list[str]) -> list[str]:
    line = shlex.join(command)
    return {
        "as it is": command,
        "through a shell": ["sh", "-c", f"{line}; true"],
        "through two": ["bash", "-c", f"sh -c {shlex.quote(line + '; true')}; true"],
        "through launchers": ["env", "A=1", "timeout", "60", "sh", "-c", f"{line}; true"],
    }[how]


@pytest.mark.parametrize("how", ["as it is", "through a shell", "through two", "through launchers"])
def test_a_session_is_bound_to_the_agents_process(watched: Watched, how: str) -> None:
    agent = watched.agent()
    said = json.loads(agent.run(*wrapped(how, asks(OPEN))))
    assert (said["pid"], said["client"], said["leases"]) == (agent.pid, "claude", 0)
    assert json.loads(agent.run(*wrapped(how, asks(OPEN))))["pid"] == agent.pid, "the same again is the same"
    assert list(sessions()) == ["s-1"]
    assert json.loads(agent.run(*asks("my_session()")))["session"] == "s-1"
    assert "session.open" not in [operation for operation, _, _ in records(watched)], "nothing was asked for yet"


def test_its_end_ends_its_leases_and_no_other(watched: Watched) -> None:
    agent, other = watched.agent(), watched.agent()
    agent.run(*asks(OPEN))
    tasks = [one.start(*watched.task("sleep", "300")) for one in (agent, other)]
    assert wait_until(lambda: len(leases()) == 2)
    assert {(item["session"], item["client"]) for item in leases()} == {("s-1", "claude"), ("", "")}
    assert "s-1" in watched.run("lease", "list").stdout
    (ended,) = json.loads(agent.run(*asks("close_session('s-1')")))
    assert ended.startswith("ls_")
    assert [item["session"] for item in leases()] == [""]
    assert wait_until(lambda: gone(tasks[0])), "its task is stopped"
    assert not gone(tasks[1])
    assert sessions() == {}
    mine = [operation for operation, session, client in records(watched) if (session, client) == ("s-1", "claude")]
    assert mine == ["session.open", "lease.grant", "lease.use", "lease.revoke", "session.end"]
    assert "whole" in watched.run("audit", "verify").stdout
    assert watched.value.encode() not in watched.everything_written()


def test_kill_of_the_agent_ends_its_session(watched: Watched) -> None:
    agent = watched.agent()
    agent.run(*asks(OPEN))
    task = agent.start(*watched.task("sleep", "300"))  # in a session of its own: it outlives the agent
    assert wait_until(lambda: len(leases()) == 1)
    agent.kill()
    assert wait_until(lambda: leases() == [])
    assert sessions() == {}
    assert wait_until(lambda: gone(task))
    assert records(watched)[-2:] == [("lease.revoke", "s-1", "claude"), ("session.end", "s-1", "claude")]


def test_an_agent_that_dies_while_a_person_is_asked_gets_nothing(watched: Watched) -> None:
    watched.answering = False
    agent = watched.agent()
    agent.run(*asks(OPEN))
    task = agent.start(*watched.task("touch", "started"))
    assert wait_until(lambda: watched.questions)
    agent.kill()
    assert watched.channel is not None
    watched.channel.answer(watched.questions[0]["id"], allow=True)
    assert wait_until(lambda: gone(task))
    assert leases() == []
    assert not (watched.project / "started").exists()


def test_the_question_names_client_and_session(watched: Watched) -> None:
    agent = watched.agent()
    agent.run(*asks("open_session('0a1b2c3d-4e5f', 'claude')"))
    agent.run(*watched.task("true"))
    (line,) = [line for line in watched.questions[0]["lines"] if line.startswith("session ")]
    assert "claude 0a1b2c3d, since" in line
    assert f"process {agent.pid}" in line
    assert "its own words" in line


def test_a_task_of_a_task_is_in_the_session_too(watched: Watched) -> None:
    agent = watched.agent()
    agent.run(*asks(OPEN))
    inner = shlex.join(watched.task("sleep", "300"))
    agent.start(
        *watched.task("sh", "-c", f"LOCUM_HOME={watched.path} PYTHONPATH={watched.env['PYTHONPATH']} {inner}; true")
    )
    assert wait_until(lambda: len(leases()) == 2)
    assert [item["session"] for item in leases()] == ["s-1", "s-1"]
    agent.run(*asks("close_session('s-1')"))
    assert leases() == []


def notes(call: str) -> list[str]:
    """Return a command that notes something, as a hook does."""
    return [
        sys.executable,
        "-c",
        f"from locum.agents.sessions.journal import note; assert note('s-1', 'claude', {call})",
    ]


def test_what_a_session_touched_is_told_without_a_value(watched: Watched) -> None:
    agent = watched.agent()
    (watched.project / "locum.toml").write_text(
        '[secrets.API_KEY]\n[tasks.show]\ncommand = ["printenv", "API_KEY"]\nsecrets = ["API_KEY"]\n'
    )
    here = f"workspace={str(watched.project)!r}"
    agent.run(*notes(f"'start', {here}"))
    agent.run(*asks(OPEN))
    agent.run(*notes(f"'wrote', path='locum.toml', {here}"))
    agent.run(*notes(f"'blocked', path='a.py', rule='github-pat', line=3, event='write', {here}"))
    agent.run(*watched.command("run", "--task", "show"))
    agent.run(*notes("'redacted', count=1, tool='Bash'"))
    kept = agent.start(*watched.task("sleep", "300"))
    assert wait_until(lambda: len(leases()) == 1)
    (lease,) = leases()
    told = watched.run("agent", "report").stdout
    for part in (
        "Claude Code, session s-1", "used API_KEY (2 leases, by show)", "1 written: locum.toml", "github-pat in a.py:3",
        "1 value in", "1 still open",
    ):  # fmt: skip
        assert part in told
    assert len(told.splitlines()) <= 15
    (one,) = watched.json("agent", "sessions")["sessions"]
    assert (one["session"], one["open"], one["written"], one["blocked"]) == ("s-1", True, 1, 1)
    assert "Claude Code  s-1  1 written, 1 stopped, open" in watched.run("agent", "sessions").stdout
    agent.run(*asks("close_session('s-1')"))
    assert wait_until(lambda: gone(kept))
    agent.run(*notes("'end'"))
    secrets = watched.json("agent", "report", "s-1")["secrets"]
    assert secrets == {"used": ["API_KEY"], "refused": [], "tasks": ["show"], "granted": 2, "leases": []}
    assert "none open" in watched.run("agent", "report", "s-").stdout
    touched = {name: audited(watched, name) for name in ("s-1", "show", lease["id"], lease["id"][:11])}
    assert touched["s-1"][0] == "session.open"
    assert touched["s-1"][-1] == "session.end"
    assert touched["show"] == ["lease.grant", "lease.use", "lease.end"]
    assert touched[lease["id"]] == touched[lease["id"][:11]] == ["lease.grant", "lease.use", "lease.revoke"]
    assert audited(watched, "s-") == []
    shown = watched.run("audit", "show", "--task", "s-1").stdout
    assert shown.count("in claude s-1") == len(touched["s-1"])
    everything = watched.everything_written() + (told + shown).encode()
    assert not [part for part in windows(watched.value) if part in everything]


def audited(home: Home, task: str) -> list[str]:
    return [one["api"]["operation"] for one in home.json("audit", "show", "--task", task)["records"]]


def windows(value: str) -> list[bytes]:
    return [value[at : at + 8].encode() for at in range(len(value) - 7)]


def test_a_report_needs_no_broker_and_no_session(home: Home) -> None:
    assert home.run("agent", "sessions").stdout == "No session of an agent is known.\n"
    assert home.json("agent", "sessions") == {"version": 1, "sessions": []}
    assert "no such session" in home.run("agent", "report", check=2).stderr
    assert not (home.path / "run" / "agent.sock").exists()


def test_a_sandboxed_agents_tasks_outside_are_in_its_session(watched: Watched) -> None:
    if shutil.which("bwrap") is None:
        missing("no bubblewrap here: run `python tests/bed/install.py`")
    if subprocess.run(["bwrap", "--unshare-user", "--ro-bind", "/", "/", "true"], capture_output=True).returncode:
        pytest.skip("this system gives no user namespaces")
    agent = watched.agent(
        *watched.command("sandbox", "--quiet", "--allow-read", str(ROOT), "--pass", "PYTHONPATH", "--")
    )
    said = json.loads(agent.run("sh", "-c", shlex.join(asks(OPEN)) + "; true"))
    assert said["pid"] != agent.pid, "the agent itself, not what it was started by"
    agent.start(*watched.task("sleep", "300"))
    assert wait_until(leases)
    assert [(item["session"], item["level"]) for item in leases()] == [("s-1", "L1")]
    os.kill(said["pid"], signal.SIGKILL)
    assert wait_until(lambda: leases() == [] == list(sessions()))


# -- those who want to meddle ---------------------------------------------------------------------------------------


def test_nobody_else_closes_or_takes_it(watched: Watched) -> None:
    agent, stranger = watched.agent(), watched.agent()
    agent.run(*asks(OPEN))
    for call in ("close_session('s-1')", OPEN, "open_session('s-1', 'gemini')"):
        assert stranger.run(*asks(call), check=9).strip() == "denied.session"
        assert watched.agent().run("setsid", "sh", "-c", shlex.join(asks(call)) + "; true").strip() == "denied.session"
    assert sessions()["s-1"]["pid"] == agent.pid
    assert stranger.run(*asks("close_session('s-2')"), check=9).strip() == "session.unknown"
    agent.kill()
    assert json.loads(stranger.run(*asks(OPEN)))["pid"] == stranger.pid, "a name whose agent is gone is free"


def test_a_person_ends_it_on_a_terminal_of_their_own(watched: Watched) -> None:
    agent = watched.agent()
    agent.run(*asks(OPEN))
    assert watched.run("agent", "end", "s-1", check=3).stderr.count("another process's session") == 1
    terminal = watched.terminal("agent", "end", "s-1")
    assert terminal.wait() == 0
    assert sessions() == {}


def test_a_persons_own_shell_is_no_agent(watched: Watched) -> None:
    ours, theirs = os.openpty()
    line = shlex.join(asks(OPEN)) + "; true"
    done = subprocess.run(  # a shell that leads a session on a terminal, as one in a window does
        ["setsid", "--ctty", "bash", "-c", line], stdin=theirs, stdout=subprocess.PIPE, text=True, env=watched.env, timeout=60
    )  # fmt: skip
    for end in (ours, theirs):
        os.close(end)
    assert done.stdout.strip() == "denied.session"
    assert sessions() == {}


def test_a_number_that_is_used_again_is_no_agent(watched: Watched) -> None:
    last = Path("/proc/sys/kernel/ns_last_pid")
    if os.geteuid() != 0 or not os.access(last, os.W_OK):
        pytest.skip("only root can choose the next pid")
    heir = (
        "import os, subprocess, sys\nfrom pathlib import Path\n"
        "wanted, last = int(sys.argv[1]), Path('/proc/sys/kernel/ns_last_pid')\n"
        "for _ in range(200):\n"
        "  last.write_text(str(wanted - 1))\n"
        "  child = os.fork()\n"
        "  if child == 0:\n"
        "    if os.getpid() == wanted: print(subprocess.run(sys.argv[2:], capture_output=True, text=True).stdout)\n"
        "    sys.stdout.flush(); os._exit(0)\n"
        "  os.waitpid(child, 0)\n"
        "  if child == wanted: break\n"
    )
    forced = 0
    for number in range(5):
        agent = watched.agent()
        agent.run(*asks(f"open_session('s-{number}', 'claude')"))
        agent.kill()
        done = subprocess.run(
            [sys.executable, "-c", heir, str(agent.pid), *asks("my_session()")],
            env=watched.env,
            capture_output=True,
            text=True,
        )
        forced += bool(done.stdout.strip())
        assert done.stdout.strip() in {"", "null"}
    assert forced >= 3, "the attack itself must work, or nothing was tested"


@pytest.mark.parametrize(
    ("session", "client", "code"),
    [
        ("", "claude", "session.session"),
        ("a" * 129, "claude", "session.session"),
        ("a\n", "claude", "session.session"),
        ("a\x1b[2J", "claude", "session.session"),
        ("../x", "claude", "session.session"),
        ("a b", "claude", "session.session"),
        ("\u202ea", "claude", "session.session"),
        ("\u0663", "claude", "session.session"),
        ("\udc80", "claude", "session.session"),
        (None, "claude", "session.session"),
        (["a"], "claude", "session.session"),
        ("a", "", "session.client"),
        ("a", "Claude Code", "session.client"),
        ("a", "c" * 33, "session.client"),
        ("a", "claude\u200b", "session.client"),
        ("a", 5, "session.client"),
    ],
)
def test_odd_names_are_refused(watched: Watched, session: object, client: object, code: str) -> None:
    assert watched.agent().run(*asks(f"open_session({session!r}, {client!r})"), check=9).strip() == code
    assert sessions() == {}


def test_thousands_of_opens_are_few_sessions_and_no_records(watched: Watched) -> None:
    flood = (
        "from locum.broker.client import connect\nfrom locum.errors import LocumError\nfrom collections import Counter\n"
        "said = Counter()\n"
        "with connect() as client:\n"
        "  for number in range(3000):\n"
        "    try: client.open_session(f's-{number}', 'claude'); said['opened'] += 1\n"
        "    except LocumError as error: said[error.code] += 1\n"
        "print(dict(said))\n"
    )
    agent, honest = watched.agent(), watched.agent()
    honest.run(*asks(OPEN))
    before = len(records(watched))
    told = agent.run(asks("")[0], "-c", flood)
    assert f"'opened': {OPENED_A_MINUTE}" in told
    assert "'denied.rate'" in told
    mine = [item for item in sessions().values() if item["pid"] == agent.pid]
    assert len(mine) == MOST_OF_ONE
    assert "s-1" in sessions(), "nobody else's session is ended by it"
    assert len(records(watched)) == before
    assert json.loads(watched.agent().run(*asks("open_session('late', 'codex')")))["session"] == "late"


def test_the_broker_stays_for_an_open_session_and_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Watched(tmp_path)
    monkeypatch.setenv("LOCUM_HOME", str(home.path))
    broker = subprocess.Popen([sys.executable, "-m", "locum.broker", "--idle-exit", "0.5"], env=home.env)
    try:
        assert wait_until((home.path / "run" / "agent.sock").exists)
        agent = home.agent()
        assert 0 < json.loads(agent.run(*asks(OPEN)))["expires_in"] <= LIVES
        time.sleep(3)
        assert broker.poll() is None
        agent.kill()
        assert broker.wait(20) == 0
    finally:
        if broker.poll() is None:
            os.kill(broker.pid, signal.SIGTERM)
            broker.wait(10)
    with pytest.raises(Unavailable):
        connect(start=False)
