"""`locum run` as an MCP client starts it: pipes instead of a terminal, one message a line, for hours."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from locum.broker.start import ControlChannel, start_with_control
from locum.paths import user_paths
from support.home import Home, canary

SERVER = """
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"id": asked["id"], "length": len(os.environ["API_KEY"]), "said": os.environ["API_KEY"]}), flush=True)
print("over", file=sys.stderr)
"""
ARGUMENTS = ("run", "--ttl", "8h", "--secret", "API_KEY", "--", "python3", "-c", SERVER)


@pytest.fixture
def channel(vault_home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlChannel]:
    """Give what an editor holds."""
    vault_home.store("API_KEY", canary())
    vault_home.run("broker", "stop")
    monkeypatch.setenv("LOCUM_HOME", str(vault_home.path))
    held = start_with_control(user_paths())
    assert held is not None
    yield held
    held.close()


def started(home: Home) -> subprocess.Popen[bytes]:
    """Start the server as a client does, with its first message waiting already."""
    pipe = subprocess.PIPE
    server = subprocess.Popen(
        home.command(*ARGUMENTS), cwd=home.project, env=home.env, stdin=pipe, stdout=pipe, stderr=pipe,
        start_new_session=True,
    )  # fmt: skip
    assert server.stdin is not None
    server.stdin.write(b'{"id": 1}\n')
    server.stdin.flush()
    return server


def answered(home: Home, channel: ControlChannel, *, allow: bool) -> subprocess.Popen[bytes]:
    server = started(home)
    question = channel.next_question(20)
    assert question is not None
    assert any(line.startswith("for") and "8 h" in line for line in question["lines"])
    channel.answer(question["id"], allow=allow)
    return server


def test_messages_go_both_ways_without_delay_and_masked(vault_home: Home, channel: ControlChannel) -> None:
    server = answered(vault_home, channel, allow=True)
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stderr is not None
    assert json.loads(server.stdout.readline()) == {"id": 1, "length": 32, "said": "locum://API_KEY"}
    began = time.monotonic()
    for number in range(2, 22):
        server.stdin.write(b'{"id": %d}\n' % number)
        server.stdin.flush()
        assert json.loads(server.stdout.readline())["id"] == number
    assert time.monotonic() - began < 2, "a message waits for the next one"
    server.stdin.close()
    assert server.wait(20) == 0
    assert server.stdout.read() == b""
    assert server.stderr.read() == b"over\n", "nothing of ours among the server's own words"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_client_that_ends_its_server_ends_all_of_it(vault_home: Home, channel: ControlChannel, number: int) -> None:
    server = answered(vault_home, channel, allow=True)
    assert server.stdout is not None
    server.stdout.readline()
    (lease,) = vault_home.json("lease", "list")["leases"]
    assert 8 * 3600 - 60 < lease["expires_in"] <= 8 * 3600
    below = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    assert below
    server.send_signal(number)
    server.wait(20)
    end = time.monotonic() + 5
    while vault_home.json("lease", "list")["leases"] or any(Path(f"/proc/{pid}").exists() for pid in below):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_no_is_exit_3_and_nothing_on_the_channel_of_messages(vault_home: Home, channel: ControlChannel) -> None:
    out, err = answered(vault_home, channel, allow=False).communicate(timeout=20)
    assert out == b""
    assert b"Nothing was started" in err


def test_with_nobody_to_ask_it_says_what_to_do_and_does_not_wait(vault_home: Home) -> None:
    value = canary()
    vault_home.store("API_KEY", value)
    began = time.monotonic()
    server = started(vault_home)
    out, err = server.communicate(timeout=20)
    assert server.returncode == 3
    assert time.monotonic() - began < 5
    assert out == b""
    assert b"nobody can be asked" in err
    assert b"open the project in an editor with Locum" in err
    assert value.encode() not in err
