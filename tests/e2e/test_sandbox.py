"""Level L1 on real parts: what an agent in `locum sandbox` tries, as root and as a user without rights, and what works.

Each probe has its positive control: the same try outside, by the same user, succeeds.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from locum.broker.start import start_with_control
from locum.paths import user_paths
from support.bed import missing
from support.home import ROOT, Home, canary
from support.nobody import AS_NOBODY, NOBODY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's")

PROBES = r"""
import ctypes, json, os, socket, sys
from pathlib import Path
facts = json.load(open(sys.argv[1]))
libc = ctypes.CDLL(None, use_errno=True)

def vmread(pid):
    class Vec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
    buffer = ctypes.create_string_buffer(8)
    local, remote = Vec(ctypes.addressof(buffer), 8), Vec(int(facts["address"]), 8)
    return libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) >= 0

def attach(pid):
    if libc.ptrace(16, pid, None, None) != 0:
        return False
    os.waitpid(pid, 0)
    libc.ptrace(17, pid, None, None)
    return True

def signal_it(pid):
    os.kill(pid, 0)
    return True

def steal(pid):
    pidfd = os.pidfd_open(pid)
    return libc.syscall(438, pidfd, 0, 0) >= 0

def speak(address):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + address[1:] if address.startswith("@") else address)
    return True

task = facts["task"]
tries = {
    "environ of a task": lambda: b"TASK_MARK" in Path(f"/proc/{task}/environ").read_bytes(),
    "memory of a task": lambda: vmread(task),
    "ptrace of a task": lambda: attach(task),
    "signal to a task": lambda: signal_it(task),
    "descriptors of a task": lambda: steal(task),
    "the vault": lambda: bool(Path(facts["vault"]).read_bytes()),
    "the key file": lambda: bool(Path(facts["key"]).read_bytes()),
    "the record": lambda: bool(Path(facts["audit"]).read_bytes()),
    "the session bus": lambda: speak(facts["bus"]),
    "an abstract socket": lambda: speak(facts["abstract"]),
    "a key in the home": lambda: bool(Path(facts["home"], ".ssh", "id").read_bytes()),
    "writing to the home": lambda: Path(facts["home"], ".profile").write_text("evil") > 0,
}
found = {}
for name, work in tries.items():
    try:
        found[name] = bool(work())
    except (OSError, ValueError):
        found[name] = False
print(json.dumps(found))
"""
OUTSIDE = """
import os, sys
from locum.run.sandbox.outside import hand_over
print(hand_over(os.environ["LOCUM_SANDBOX"], sys.argv[1:]))
"""
TASK = """
import ctypes, sys, time
held = ctypes.create_string_buffer(b"in memory")
print(ctypes.addressof(held), flush=True)
time.sleep(600)
"""


class Agent(Home):
    """A home with a vault, a project, and an agent's view of it. `user` is [] for who runs the tests."""

    value = ""

    def __init__(self, base: Path, user: list[str], python: str) -> None:
        super().__init__(base)
        self.user, self.python = user, python
        self.person = base / "person"
        (self.person / ".ssh").mkdir(parents=True)
        (self.person / ".ssh" / "id").write_text("a key")
        self.env |= {"HOME": str(self.person), "XDG_RUNTIME_DIR": str(base / "runtime")}
        (base / "runtime").mkdir()
        if user:
            self.env |= {"PATH": "/usr/local/bin:/usr/bin:/bin"}
            for path in (base, *base.rglob("*")):
                os.chown(path, NOBODY, NOBODY)

    def command(self, *arguments: str) -> list[str]:
        return [*self.user, self.python, "-m", "locum", *arguments]

    def inside(self, *command: str, check: int | None = 0) -> subprocess.CompletedProcess[str]:
        return self.run("sandbox", "--quiet", "--", *command, check=check)


@pytest.fixture(params=["as it is", "without rights"])
def agent(request: pytest.FixtureRequest, plain_python: str) -> Iterator[Agent]:
    if shutil.which("bwrap") is None:
        missing("no bubblewrap here: run `python tests/bed/install.py`")
    without = request.param == "without rights"
    if without and (os.geteuid() != 0 or not plain_python):
        pytest.skip("needs root to become somebody else, and a Python for them")
    base = Path(tempfile.mkdtemp(prefix="sandbox-test-"))
    base.chmod(0o755)
    home = Agent(base, AS_NOBODY if without else [], plain_python if without else sys.executable)
    if subprocess.run(
        [*home.user, "bwrap", "--unshare-user", "--ro-bind", "/", "/", "true"], capture_output=True
    ).returncode:
        pytest.skip("this system gives no user namespaces")
    home.init()
    home.value = canary()
    home.store("API_KEY", home.value)
    yield home
    home.close()
    shutil.rmtree(base, ignore_errors=True)


def listen(address: str) -> subprocess.Popen[str]:
    """Let a process listen on a socket, as a session bus does."""
    program = (
        "import socket,sys,time; s=socket.socket(socket.AF_UNIX); a=sys.argv[1]; "
        "s.bind('\\0'+a[1:] if a[0]=='@' else a); s.listen(8); print('up',flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, address], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_what_an_agent_tries(agent: Agent) -> None:
    bus, abstract = agent.env["XDG_RUNTIME_DIR"] + "/bus", "@locum-test-" + canary(8)
    servers = [listen(bus), listen(abstract)]
    os.chmod(bus, 0o777)  # noqa: PTH101 - a socket
    task = subprocess.Popen(
        [*agent.user, agent.python, "-c", TASK], stdout=subprocess.PIPE, text=True, env=agent.env | {"TASK_MARK": "1"}
    )
    assert task.stdout is not None
    address = task.stdout.readline().strip()
    paths = agent.path
    facts = {
        "task": task.pid, "address": address, "vault": str(paths / "data" / "vault.locum"),
        "key": str(paths / "config" / "vault.key"), "audit": str(paths / "state" / "audit.jsonl"), "bus": bus,
        "abstract": abstract, "home": str(agent.person),
    }  # fmt: skip
    (agent.project / "facts.json").write_text(json.dumps(facts))
    (agent.project / "probes.py").write_text(PROBES)
    probe = ["python3", "probes.py", "facts.json"]
    try:
        agent.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"
        outside = subprocess.run(
            [*agent.user, *probe], cwd=agent.project, env=agent.env, capture_output=True, text=True, check=True
        )
        open_outside = json.loads(outside.stdout)
        assert all(open_outside.values()), open_outside  # the control: each of these can be done
        found = json.loads(agent.inside(*probe).stdout)
        assert not any(found.values()), found
        assert set(found) == set(open_outside)
    finally:
        for process in (task, *servers):
            process.kill()
            process.wait()


def test_it_says_what_holds(agent: Agent) -> None:
    told = json.loads(agent.run("sandbox", "--check", "--format", "json").stdout)
    assert told["level"] == "L1"
    assert all(probe["out_of_reach"] for probe in told["probes"] if probe["required"])
    assert {"the vault", "other processes", "keyring and session bus"} <= {probe["name"] for probe in told["probes"]}


def test_the_project_is_the_agents_and_the_exit_code_comes_back(agent: Agent) -> None:
    done = agent.inside("sh", "-c", "echo hello > made && cat made; touch .git/hooks/x 2>/dev/null; exit 7", check=7)
    assert done.stdout == "hello\n"
    assert (agent.project / "made").exists()


def test_the_agent_gets_no_value_and_approves_nothing(agent: Agent) -> None:
    script = (
        "from locum.broker.client import connect\nfrom locum.broker.wire import Grant, LeaseRequest\n"
        "from locum.errors import LocumError\nimport os\nwith connect(start=False) as c:\n"
        "  print(sorted(s['name'] for s in c.list_secrets()))\n"
        "  try: c.request_lease(LeaseRequest(('true',), os.getcwd(), (Grant('API_KEY','locum://API_KEY'),), program='/bin/true'))\n"
        "  except LocumError as e: print(e.code)\n"
    )
    (agent.project / "ask.py").write_text(script)
    done = agent.inside(agent.python, "ask.py")
    assert done.stdout.splitlines() == ["['API_KEY']", "denied.agent"]


def test_a_lease_is_not_redeemed_inside(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that a person allowed: the value stays outside."""
    monkeypatch.setenv("LOCUM_HOME", str(agent.path))
    if agent.user:
        pytest.skip("the control channel is held by who runs the tests")
    agent.run("broker", "stop")
    channel = start_with_control(user_paths())
    assert channel is not None
    script = (
        "from locum.broker.client import connect\nfrom locum.broker.wire import Grant, LeaseRequest\n"
        "from locum.errors import LocumError\nimport os\nwith connect(start=False) as c:\n"
        "  l = c.request_lease(LeaseRequest(('true',), os.getcwd(), (Grant('API_KEY','locum://API_KEY'),), program='/bin/true'))\n"
        "  try: print(c.redeem(l['id']))\n"
        "  except LocumError as e: print(e.code)\n"
    )
    (agent.project / "ask.py").write_text(script)

    def answer() -> None:
        question = channel.next_question(30)
        assert question is not None
        channel.answer(question["id"], allow=True)

    threading.Thread(target=answer, daemon=True).start()
    done = agent.inside(agent.python, "ask.py")
    assert done.stdout.strip() == "denied.sandbox"
    channel.close()


def test_a_task_runs_outside_and_its_masked_output_comes_back(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUM_HOME", str(agent.path))
    if agent.user:
        pytest.skip("the control channel is held by who runs the tests")
    agent.run("broker", "stop")
    channel = start_with_control(user_paths())
    assert channel is not None
    asked: list[dict[str, Any]] = []

    def answer() -> None:
        question = channel.next_question(30)
        assert question is not None
        asked.append(question)
        channel.answer(question["id"], allow=True)

    threading.Thread(target=answer, daemon=True).start()
    task = 'printf %s "$API_KEY" | sha256sum; echo "$API_KEY"; readlink /proc/self/ns/pid; exit 5'
    (agent.project / "work.sh").write_text(task)
    locum = " ".join(agent.command("run", "--secret", "API_KEY", "--", "sh", "work.sh"))
    done = agent.inside("sh", "-c", f"{locum}; echo code $?; readlink /proc/self/ns/pid")
    lines = done.stdout.split("\n")
    expected = subprocess.run(
        ["sha256sum"], input=agent.value.encode(), capture_output=True, check=True
    ).stdout.decode()
    assert lines[0] == expected.strip()
    assert lines[1] == "locum://API_KEY"
    assert lines[2] == os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - the link's text: outside
    assert lines[3] == "code 5"
    assert lines[4] != lines[2]  # the agent itself: inside
    assert agent.value not in done.stdout + done.stderr
    said = "\n".join(asked[0]["lines"])
    assert "L1" in said
    assert "AI_AGENT" in said
    channel.close()


def test_the_asker_chooses_neither_folder_nor_program_path_nor_environment(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    if agent.user:
        pytest.skip("as root only: what is refused does not depend on the user")
    monkeypatch.setenv("LOCUM_HOME", str(agent.path))
    agent.run("broker", "stop")
    channel = start_with_control(user_paths())
    assert channel is not None

    def answer() -> None:
        question = channel.next_question(30)
        assert question is not None
        channel.answer(question["id"], allow=True)

    threading.Thread(target=answer, daemon=True).start()
    evil = agent.project / "bin"
    evil.mkdir()
    (evil / "sh").write_text("#!/bin/sh\ntouch evil-ran\n")
    (evil / "sh").chmod(0o755)
    locum = " ".join(agent.command("run", "--secret", "API_KEY", "--", "sh", "-c", "'echo fine; env'"))
    done = agent.inside("sh", "-c", f"PATH={evil}:$PATH MARK=evil PYTHONPATH=$PYTHONPATH {locum}")
    assert "fine" in done.stdout
    assert "MARK=evil" not in done.stdout
    assert not (agent.project / "evil-ran").exists()
    done = agent.inside("sh", "-c", f"cd /tmp && {locum}", check=None)
    assert done.returncode != 0
    assert "tasks run in" in done.stderr
    channel.close()


def test_it_does_not_start_where_everything_would_be_writable(agent: Agent) -> None:
    done = agent.run("sandbox", "--", "true", cwd=agent.person, check=2)
    assert "no project" in done.stderr


def test_the_supervisor_ends_with_the_sandbox(agent: Agent) -> None:
    agent.inside("true")
    end = time.monotonic() + 10
    while list((agent.path / "run").glob("sandbox-*")):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_nobody_is_asked_about_stays_inside(agent: Agent) -> None:
    """A task without a secret would run outside with the person's rights, and no question."""
    key = agent.person / ".ssh" / "id"
    done = agent.inside(agent.python, "-m", "locum", "run", "--", "cat", str(key), check=None)
    assert "a key" not in done.stdout
    assert "No such file" in done.stderr
    (agent.project / "ask.py").write_text(OUTSIDE)
    for arguments in (
        ["--", "cat", str(key)],
        ["--show-env", "--", "true"],
        ["--show-env", "--secret", "API_KEY", "--", "true"],
    ):
        done = agent.inside(agent.python, "ask.py", *arguments)
        assert done.stdout.splitlines() == ["3"]
        assert "runs in the sandbox" in done.stderr


@pytest.mark.parametrize("option", ["--env-file", "--render", "--mount"])
def test_the_asker_names_no_file_outside(agent: Agent, option: str) -> None:
    kept = agent.person / "kept.env"
    kept.write_text("PLAIN=kept\nX=locum://API_KEY\n")
    (agent.project / "ask.py").write_text(OUTSIDE)
    done = agent.inside(agent.python, "ask.py", option, str(kept), "--secret", "API_KEY", "--", "cat", str(kept))
    assert done.stdout.splitlines() == ["3"]
    assert "is not in" in done.stderr


def test_the_folder_of_the_task_lends_no_code_to_locum(agent: Agent) -> None:
    """Python's `-m` and an empty PYTHONPATH look into the working folder, which is the agent's."""
    if agent.user:
        pytest.skip("as root only: what is imported does not depend on the user")
    agent.env["PYTHONPATH"] += os.pathsep
    ran = agent.person / "ran"
    for name in ("locum/__init__.py", "locum/__main__.py", "click.py", "sitecustomize.py"):
        path = agent.project / "evil" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"try: open({str(ran)!r}, 'x')\nexcept OSError: pass\n")
    (agent.project / "ask.py").write_text(OUTSIDE)
    run = f"cd evil && exec {agent.python} -P ../ask.py --secret API_KEY -- true"
    done = agent.inside("sh", "-c", run)
    assert "asked from inside an AI agent" in done.stderr  # so it was asked for outside
    assert not ran.exists()


@pytest.mark.parametrize("place", ["project/.venv/lib", "person/.cache/tools"])
def test_locums_own_code_is_not_the_agents(agent: Agent, place: str) -> None:
    """Also where it is installed in the project, or where agents may write otherwise: it is run outside."""
    if agent.user:
        pytest.skip("as root only: mounts do not depend on the user")
    own = agent.path.parent / place
    own.mkdir(parents=True)
    shutil.copytree(ROOT / "server" / "locum", own / "locum", ignore=shutil.ignore_patterns("__pycache__"))
    agent.env["PYTHONPATH"] = str(own)
    for path in ("locum/cli/run.py", "locum/new.py"):
        done = agent.inside("sh", "-c", f"echo evil >> {own / path}", check=None)
        assert done.returncode != 0
    agent.inside("sh", "-c", f"echo fine >> {own.parent / 'beside'}")


def test_it_types_into_no_terminal_of_yours(agent: Agent) -> None:
    """Neither into its own, which is thrown away, nor, at the head of a pipeline, into the one that it is started on."""
    if agent.user:
        pytest.skip("as root only: terminals do not depend on the user")
    (agent.project / "type.py").write_text(
        "import fcntl, termios\n"
        "for char in 'injected\\n':\n"
        "    try: fcntl.ioctl(0, termios.TIOCSTI, char.encode())\n"
        "    except OSError: pass\n"
    )
    start = " ".join(agent.command("sandbox", "--quiet", "--", "python3", "type.py"))
    for before in (start, f"{start} | cat"):
        terminal = agent.terminal(command=["sh", "-c", f"{before}; echo ready; head -n1 | tr a-z A-Z"])
        terminal.wait_for("ready")
        terminal.type("mine\n")
        assert terminal.wait() == 0
        assert "MINE" in terminal.text
        assert "INJECTED" not in terminal.text
        terminal.close()
