"""What once broke the broker, each as a test: clients that leave, terminals that stop, records that fail, odd bytes."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from locum.broker import wire
from locum.broker.client import BrokerClient, connect
from locum.broker.start import start_with_control
from locum.errors import LocumError, NotAllowed
from locum.paths import user_paths
from locum.secret import SecretBytes
from support.home import Home, canary


@pytest.fixture
def attacked(vault_home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Give a home whose broker this process may talk to as a client."""
    monkeypatch.setenv("LOCUM_HOME", str(vault_home.path))
    return vault_home


def same(home: Home, name: str, value: str) -> int:
    """Run a task that compares a leased value; return its exit code."""
    terminal = home.terminal("run", "--secret", name, "--", "sh", "-c", f'test "${name}" = {value}')
    terminal.answer()
    return terminal.wait()


def test_a_client_that_leaves_while_its_value_is_stored(attacked: Home) -> None:
    value = canary()
    attacked.store("FIRST", "opens the vault")
    client = connect()
    with (attacked.path / "data/vault.locum.lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        message = {"id": 1, "method": "secret.store", "params": {"name": "LEFT", "origin": "test"}}
        client._send(wire.encode(message, value.encode()), None)  # pyright: ignore[reportPrivateUsage] - without waiting for the answer
        time.sleep(0.5)
        client.close()
        time.sleep(0.3)
    time.sleep(0.5)
    if "LEFT" in [item["name"] for item in attacked.json("secret", "list")["secrets"]]:
        assert same(attacked, "LEFT", value) == 0


def test_a_stopped_terminal_stops_nobody_else(attacked: Home) -> None:
    attacked.store("API_KEY", canary())
    locum = " ".join(attacked.command("run", "--secret", "API_KEY", "--", "true"))
    terminal = attacked.terminal(command=["sh", "-c", f"sleep 1; exec {locum}"])
    terminal.type(b"\x13")
    time.sleep(2.5)
    assert attacked.json("broker", "status")["running"] is True
    terminal.type(b"\x11")
    assert terminal.wait() == 3, "a question that could not be shown was not answered with yes"


def test_without_a_record_nothing_is_stored_however_often_one_asks(attacked: Home) -> None:
    (attacked.path / "state").mkdir(mode=0o700, exist_ok=True)
    (attacked.path / "state/audit.jsonl").mkdir()
    for number in range(2):
        done = attacked.run("secret", "set", f"KEY_{number}", "--stdin", stdin="a value", check=3)
        assert "audit" in done.stderr
    (attacked.path / "state/audit.jsonl").rmdir()
    assert attacked.json("secret", "list")["secrets"] == []


def test_an_undo_does_not_delete_what_replaced_it(attacked: Home) -> None:
    attacked.run("broker", "stop")
    channel = start_with_control(user_paths())
    assert channel is not None
    with connect() as first:
        undo = first.store_secret("KEY", SecretBytes(b"first"), origin="test")
        second = attacked.terminal(
            command=["sh", "-c", f"printf second | {' '.join(attacked.command('secret', 'set', 'KEY', '--stdin'))}"]
        )
        question = channel.next_question(20)
        assert question is not None
        channel.answer(question["id"], allow=True)
        assert second.wait() == 0
        with pytest.raises(NotAllowed):
            first.discard_secret(undo)
    assert [item["name"] for item in attacked.json("secret", "list")["secrets"]] == ["KEY"]
    channel.close()


def test_arguments_that_are_no_text(attacked: Home) -> None:
    attacked.store("API_KEY", canary())
    terminal = attacked.terminal("run", "--secret", "API_KEY", "--", "printf", "%s", "\udcff\udcfe")
    terminal.answer()
    assert terminal.wait() == 0
    assert attacked.json("broker", "status")["running"] is True


def test_an_end_that_comes_with_the_answer_is_seen() -> None:
    ours, theirs = socket.socketpair()
    client = BrokerClient(ours)
    ended: dict[str, Any] = {"event": "lease.ended", "id": "ls_1", "reason": "revoked"}
    frames = [*wire.encode({"id": 1, "result": {"values": []}}), *wire.encode(ended)]
    theirs.sendall(b"".join(frames))
    assert client.redeem("ls_1") == {}
    assert client.next_event(0) == ended
    theirs.close()


def test_one_asker_has_one_question(attacked: Home) -> None:
    attacked.store("API_KEY", canary())
    attacked.run("broker", "stop")
    channel = start_with_control(user_paths())
    assert channel is not None
    client = connect()
    request = wire.LeaseRequest(("true",), str(attacked.project), (wire.Grant("API_KEY", "locum://API_KEY"),))
    for number in (1, 2):
        client._send(wire.encode({"id": number, "method": "lease.request", "params": request.to_wire()}), None)  # pyright: ignore[reportPrivateUsage] - two at once
        if number == 1:
            assert channel.next_question(20) is not None
    with pytest.raises(LocumError) as caught:
        client._answer(2, 20)  # pyright: ignore[reportPrivateUsage] - of the second
    assert caught.value.code == "denied.busy"
    client.close()
    channel.close()


def test_an_agent_cannot_take_the_channel(attacked: Home) -> None:
    attacked.run("broker", "stop")
    script = "from locum.broker.client import control_channel; print(control_channel())"
    done = attacked.terminal(command=["env", "CLAUDECODE=1", attacked.command()[0], "-c", script])
    assert done.wait() == 0
    assert "None" in done.text


def test_the_path_of_the_socket_may_be_long(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 60)
    deep.mkdir(parents=True)
    home = Home(deep)
    home.init()
    home.store("API_KEY", canary())
    assert [item["name"] for item in home.json("secret", "list")["secrets"]] == ["API_KEY"]
    home.close()


def test_whoever_gets_the_number_of_a_process_that_is_gone_gets_nothing_else(attacked: Home) -> None:
    if not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK):
        pytest.skip("takes root, to force a process's number")
    attacked.store("API_KEY", canary())
    script = Path(__file__).parents[1] / "support/pid_reuse.py"
    done = subprocess.run(
        [sys.executable, str(script), str(user_paths().socket), "30"], capture_output=True, text=True, timeout=100
    )
    said = json.loads(done.stdout)
    assert said["forced"] > 0, done.stderr
    assert said["accepted"] == 0
