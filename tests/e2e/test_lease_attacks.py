"""Leases against those who want more of them: many at once, a pid that is used again, clocks that jump, kill -9."""

from __future__ import annotations

import contextlib
import json
import os
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

from locum.broker import wire
from locum.broker.client import BrokerClient, connect
from locum.broker.start import ControlChannel, start_with_control
from locum.errors import LocumError, NotAllowed, Unavailable
from locum.paths import user_paths
from support.home import Home, canary

SUPPORT = Path(__file__).parents[1] / "support"
TRUE = shutil.which("true") or ""
DAY, YEAR = 86400, 366 * 86400


class Attacked(Home):
    """A home whose vault holds API_KEY, with an editor that answers questions when it is told to."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.channel: ControlChannel | None = None

    def request(self, **more: Any) -> wire.LeaseRequest:
        grants = (wire.Grant("API_KEY", "locum://API_KEY"),)
        return wire.LeaseRequest(("true",), str(self.project), grants, program=TRUE, **more)

    def say_yes(self, calls: Callable[[], Any]) -> Any:
        """Do a call that waits for a person, and say yes to its question."""
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(calls()))
        thread.start()
        assert self.channel is not None
        question = self.channel.next_question(20)
        assert question is not None
        time.sleep(0.7)
        self.channel.answer(question["id"], allow=True)
        thread.join(20)
        return found[0]


@pytest.fixture
def attacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attacked]:
    home = Attacked(tmp_path)
    monkeypatch.setenv("LOCUM_HOME", str(home.path))
    home.init()
    home.store("API_KEY", canary())
    home.run("broker", "stop")
    home.channel = start_with_control(user_paths())
    yield home
    if home.channel is not None:
        home.channel.close()
    home.close()


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def live() -> list[str]:
    try:
        with connect(start=False) as client:
            return [lease["id"] for lease in client.list_leases()]
    except Unavailable:
        return []


# -- many at once -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uses", [1, 7])
def test_of_fifty_at_once_as_many_get_it_as_uses_were_allowed(attacked: Attacked, uses: int) -> None:
    """Forty threads over the holder's own connection and ten other processes that know the id, at one moment."""
    with connect() as client:
        lease = attacked.say_yes(lambda: client.request_lease(attacked.request(uses=uses)))["id"]
        others = f"from locum.broker.client import connect\nwith connect() as client: client.redeem({lease!r})"
        start = threading.Barrier(51)
        codes: list[int] = []

        def from_outside() -> None:
            start.wait()
            done = subprocess.run([sys.executable, "-c", others], env=attacked.env, capture_output=True, timeout=120)
            codes.append(done.returncode)

        def from_inside(number: int) -> None:
            start.wait()
            frame = wire.encode({"id": number, "method": "lease.redeem", "params": {"id": lease}})
            os.write(client.fileno(), b"".join(frame))  # one write, so that frames do not mix

        several = [threading.Thread(target=from_outside) for _ in range(10)]
        threads = [threading.Thread(target=from_inside, args=(number,)) for number in range(100, 140)]
        for thread in (*several, *threads):
            thread.start()
        start.wait()
        for thread in (*several, *threads):
            thread.join()
        reader, answers = wire.FrameReader(), list[tuple[wire.Message, bytearray]]()
        client._socket.settimeout(20)  # pyright: ignore[reportPrivateUsage] - its frames are read here, all of them
        while len(answers) < 40:
            answers += list(reader.feed(client._socket.recv(65536)))  # pyright: ignore[reportPrivateUsage]
    assert sum("result" in message for message, _ in answers) == uses
    assert sum(bool(payload) for _, payload in answers) == uses
    assert {message["error"]["code"] for message, _ in answers if "error" in message} == {"denied.lease"}
    assert 0 not in codes
    assert len(codes) == 10


# -- a pid that is used again -------------------------------------------------------------------------------------


def test_a_pid_that_is_used_again_gets_nothing(attacked: Attacked) -> None:
    if os.geteuid() != 0 or not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK):
        pytest.skip("only root can choose the next pid")
    with connect() as client:
        attacked.say_yes(lambda: client.request_standing(attacked.request(uses=2), 3600))
    rounds = int(os.environ.get("LOCUM_REUSES", "60"))
    done = subprocess.run(
        [sys.executable, str(SUPPORT / "inherited_lease.py"), str(rounds), json.dumps(attacked.request(uses=2).to_wire())],
        env=attacked.env, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    print(told)
    assert told["worked_for_its_owner"] == rounds
    assert told["forced"] >= rounds * 0.8, "the attack itself must work, or nothing was tested"
    assert set(told["said"]) <= {"denied.peer", "denied.lease", "unavailable.broker", "not forced"}


# -- clocks -------------------------------------------------------------------------------------------------------


def test_a_wall_clock_that_jumps_neither_ends_nor_lengthens_a_lease(attacked: Attacked, tmp_path: Path) -> None:
    assert attacked.channel is not None
    attacked.channel.close()
    attacked.run("broker", "stop", check=None)
    offset = tmp_path / "offset"
    offset.write_text("0")
    broker = subprocess.Popen(
        [sys.executable, str(SUPPORT / "odd_clock.py"), str(offset)], env=attacked.env, start_new_session=True
    )
    try:
        assert wait_until(user_paths().socket.exists)
        task = attacked.terminal(
            "run", "--secret", "API_KEY", "--ttl", "8s", "--", "sh", "-c", "echo up $((40+2)); exec sleep 60"
        )
        task.answer()
        task.wait_for("up 42")
        offset.write_text(str(YEAR))
        time.sleep(2.5)  # two looks of the broker at its leases
        assert len(live()) == 1
        offset.write_text(str(-DAY))
        assert task.wait() == 143
        assert "time is over" in task.text
        assert live() == []
    finally:
        broker.terminate()
        broker.wait(20)


# -- kill -9 ------------------------------------------------------------------------------------------------------


LEAVER = """
import json, os, sys, time
from locum.broker.client import connect
from locum.broker.wire import LeaseRequest
from locum.errors import LocumError
client = connect()
lease = client.request_lease(LeaseRequest.from_wire(json.loads(sys.argv[1])))
if os.fork() == 0:
    sys.stdin.readline()
    try:
        client.redeem(lease["id"])
        print("got it")
    except LocumError as error:
        print(error.code)
    os._exit(0)
print(lease["id"], flush=True)
time.sleep(60)
"""


def test_a_killed_holder_of_a_lease_leaves_it_useless(attacked: Attacked) -> None:
    """The process that asked dies, its connection is open still in a child of it: within a second nothing is left."""
    with connect() as client:
        attacked.say_yes(lambda: client.request_standing(attacked.request(), 3600))
    process = subprocess.Popen(
        [sys.executable, "-c", LEAVER, json.dumps(attacked.request().to_wire())],
        env=attacked.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lease = process.stdout.readline().strip()
    assert live() == [lease]
    process.send_signal(signal.SIGKILL)
    assert wait_until(lambda: live() == [], 1.5)  # one look a second, and what this look here takes
    assert process.stdin is not None
    process.stdin.write("now\n")
    process.stdin.flush()
    assert process.stdout.readline().strip() in {"denied.peer", "unavailable.broker", "denied.lease"}
    process.wait()


HOLDER = """
import sys, time
from locum.broker.start import start_with_control
from locum.paths import user_paths
channel = start_with_control(user_paths())
print(channel is not None, flush=True)
print(channel.next_question(60)["id"], flush=True)
time.sleep(60)
"""


def test_a_killed_editor_refuses_what_it_was_asked(attacked: Attacked) -> None:
    assert attacked.channel is not None
    attacked.channel.close()
    attacked.channel = None
    attacked.run("broker", "stop", check=None)
    editor = subprocess.Popen([sys.executable, "-c", HOLDER], env=attacked.env, stdout=subprocess.PIPE, text=True)
    assert editor.stdout is not None
    assert editor.stdout.readline() == "True\n"
    with connect() as client:
        caught: list[LocumError] = []

        def ask() -> None:
            try:
                client.request_lease(attacked.request())
            except LocumError as error:
                caught.append(error)

        asker = threading.Thread(target=ask)
        asker.start()
        editor.stdout.readline()
        editor.send_signal(signal.SIGKILL)
        asker.join(10)
    editor.wait()
    assert [type(error) for error in caught] == [NotAllowed]
    assert live() == []


CLIENT = """
import subprocess, sys, time
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(server.stdout.readline(), flush=True)
time.sleep(60)
"""


def test_a_killed_mcp_client_ends_the_lease_of_its_server(attacked: Attacked) -> None:
    """A server ends with its input (Model Context Protocol, stdio); its lease ends with it."""
    command = attacked.command("run", "--secret", "API_KEY", "--", "sh", "-c", "echo up; exec cat")
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, *command], env=attacked.env, cwd=attacked.project, stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert attacked.channel is not None
    question = attacked.channel.next_question(20)
    assert question is not None
    time.sleep(0.7)
    attacked.channel.answer(question["id"], allow=True)
    assert client.stdout is not None
    assert b"up" in client.stdout.readline()
    assert len(live()) == 1
    client.send_signal(signal.SIGKILL)
    assert wait_until(lambda: live() == [], 1.5)
    client.wait()


# -- ending all ---------------------------------------------------------------------------------------------------


def test_all_are_ended_at_once_and_the_list_is_readable(attacked: Attacked) -> None:
    tasks = [
        attacked.terminal("run", "--secret", "API_KEY", "--", "sh", "-c", f"exec sleep {60 + n}") for n in range(2)
    ]
    for task in tasks:
        task.answer()
    assert wait_until(lambda: len(live()) == 2)
    shown = attacked.run("lease", "list").stdout
    assert all(len(line) <= 80 for line in shown.splitlines())
    said = " ".join(shown.split())
    for part in ("sh -c 'exec sleep 60'", "locum://API_KEY as $API_KEY", "allowed on your terminal", "L0", "process"):
        assert part in said
    attacked.run("lease", "revoke", check=2)
    attacked.run("lease", "revoke", "ls_", check=2)
    assert len(attacked.json("lease", "revoke", "--all")["revoked"]) == 2
    assert [task.wait() for task in tasks] == [143, 143]
    assert "No live lease" in attacked.run("lease", "list").stdout
    assert attacked.run("lease", "revoke", "--all").returncode == 0


def test_a_task_that_calls_itself_odd_names_moves_no_cursor(attacked: Attacked) -> None:
    with connect() as client:
        request = attacked.request(task="evil\x1b[2J\u202etask")
        attacked.say_yes(lambda: client.request_lease(request))
        (lease,) = live()
        for shown in (attacked.run("lease", "list").stdout, attacked.run("lease", "show", lease).stdout):
            assert "evil\\x1b[2J" in shown
            assert not set(shown) & set("\x1b\u202e")
            assert shown.replace("\n", "").isprintable()


def test_what_was_revoked_before_it_was_taken_is_not_handed_out(attacked: Attacked) -> None:
    with connect() as client:
        lease = attacked.say_yes(lambda: client.request_lease(attacked.request()))["id"]
        _revoke(lease)
        with pytest.raises(NotAllowed) as caught:
            client.redeem(lease)
        assert caught.value.exit_code == 3
        event = client.next_event(5)
        assert event is not None
        assert event["reason"] == "revoked"


def _revoke(lease: str) -> None:
    other: BrokerClient = connect(start=False)
    with other:
        assert other.revoke_lease(lease[:9]) == [lease]


def test_an_agent_that_starts_new_sessions_wears_nobody_down(attacked: Attacked) -> None:
    """Each of its commands is a session of its own, and another command line: three noes count all the same."""
    channel = attacked.channel
    assert channel is not None
    agent = (
        "import subprocess, sys\n"
        "for number in range(5):\n"
        "    done = subprocess.run([*sys.argv[1:], str(number)], start_new_session=True, capture_output=True, text=True)\n"
        "    print(done.stderr.splitlines()[0])\n"
    )
    asked: list[str] = []

    def say_no() -> None:
        with contextlib.suppress(Unavailable, OSError, ValueError):
            while (question := channel.next_question(20)) is not None:
                asked.append(question["id"])
                channel.answer(question["id"], allow=False)

    threading.Thread(target=say_no, daemon=True).start()
    command = attacked.command("run", "--secret", "API_KEY", "--", "true")
    done = subprocess.run(
        [sys.executable, "-c", agent, *command], env=attacked.env | {"AI_AGENT": "a test"}, cwd=attacked.project,
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert said[:3] == ["locum: you said no"] * 3
    assert all("it is not asked again" in line for line in said[3:])
    assert len(asked) == 3
