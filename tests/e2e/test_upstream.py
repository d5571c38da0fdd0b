"""What others issue for a lease is taken back when it ends, also when the broker is killed or the issuer is away.

Real parts: an HTTP server that issues and takes back, a broker process that knows it, its journal on disk.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from locum.broker import wire
from locum.broker.client import BrokerClient, connect
from locum.broker.start import ControlChannel
from locum.broker.wire import Grant, LeaseRequest
from locum.errors import LocumError
from support.home import Home
from support.issuer import Server

SCRIPT = Path(__file__).parents[1] / "support" / "issuer.py"


class Issuing:
    """A home, an issuer's server, and a broker that knows the issuer and that a test may kill."""

    def __init__(self, home: Home) -> None:
        self.home, self.server = home, Server()
        self.process: subprocess.Popen[bytes] | None = None
        self.channel: ControlChannel | None = None

    def start(self) -> None:
        ours, theirs = socket.socketpair()
        path = os.pathsep.join([self.home.env["PYTHONPATH"], str(SCRIPT.parents[1])])
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), self.server.url, "--control-fd", str(theirs.fileno())],
                env=self.home.env | {"PYTHONPATH": path}, pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        self.channel = ControlChannel(ours)
        hello = self.channel.next_message(20)
        assert hello is not None
        assert hello["event"] == "hello"

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        if self.channel is not None:
            self.channel.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        self.server.stop()

    def lease(self, client: BrokerClient, source: str = "made://role") -> str:
        """Ask for a lease of what the issuer gives, let the editor say yes, and return its id."""
        assert self.channel is not None
        request = LeaseRequest(("true",), str(self.home.project), (Grant("ROLE", "locum://ROLE", source),))
        client._next_id += 1  # pyright: ignore[reportPrivateUsage] - the answer comes from this very thread
        number = client._next_id  # pyright: ignore[reportPrivateUsage]
        client._send(wire.encode({"id": number, "method": "lease.request", "params": request.to_wire()}), None)  # pyright: ignore[reportPrivateUsage]
        question = self.channel.next_question(20)
        assert question is not None
        time.sleep(0.7)
        self.channel.answer(question["id"], allow=True)
        return client._answer(number, 20)[0]["lease"]["id"]  # pyright: ignore[reportPrivateUsage]

    def upstream(self) -> list[dict[str, Any]]:
        with connect(start=False) as client:
            client.list_secrets()  # opens the vault
            return client.look_at_leases()["upstream"]

    @property
    def journal(self) -> list[Path]:
        folder = self.home.path / "state" / "upstream"
        return sorted(folder.iterdir()) if folder.exists() else []


@pytest.fixture
def issuing(vault_home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuing]:
    monkeypatch.setenv("LOCUM_HOME", str(vault_home.path))
    vault_home.run("broker", "stop", check=None)
    parts = Issuing(vault_home)
    parts.start()
    yield parts
    parts.end()


def wait_until(condition, seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def operations(home: Home) -> list[str]:
    return [record["api"]["operation"] for record in home.json("audit", "show")["records"]]


def test_what_was_issued_is_journalled_sealed_and_taken_back_at_the_end(issuing: Issuing) -> None:
    with connect(start=False) as client:
        lease = issuing.lease(client)
        assert issuing.journal == [], "nothing is issued before it is asked for"
        values = client.redeem(lease)
        (handle, value), = issuing.server.live.items()  # fmt: skip
        with values["ROLE"].view() as view:
            assert bytes(view).decode() == value
        (entry,) = issuing.journal
        for name in (handle, value, "ROLE", "made"):
            assert name.encode() not in entry.read_bytes()
        assert [item["state"] for item in issuing.upstream()] == ["active"]
        client.end_lease(lease, 0)
    assert wait_until(lambda: not issuing.server.live)
    assert wait_until(lambda: not issuing.journal)
    assert issuing.upstream() == []
    assert {"upstream.issue", "upstream.revoke"} <= set(operations(issuing.home))
    written = issuing.home.everything_written()
    assert handle.encode() not in written
    assert value.encode() not in written


def test_a_killed_broker_takes_it_back_after_its_restart(issuing: Issuing) -> None:
    with connect(start=False) as client:
        client.redeem(issuing.lease(client))
        issuing.kill()
    assert len(issuing.server.live) == 1
    assert len(issuing.journal) == 1
    issuing.start()
    issuing.upstream()
    assert wait_until(lambda: not issuing.server.live)
    assert wait_until(lambda: not issuing.journal)


def test_while_the_issuer_is_away_it_is_tried_again_and_not_called_revoked(issuing: Issuing) -> None:
    with connect(start=False) as client:
        lease = issuing.lease(client)
        client.redeem(lease)
        issuing.server.stop()
        client.end_lease(lease, 0)
        assert wait_until(lambda: [item["state"] for item in issuing.upstream()] == ["revoke_pending"])
        shown = issuing.home.run("lease", "list").stdout
        assert all(len(line) <= 80 for line in shown.splitlines())
        said = " ".join(shown.split())
        assert "NOT taken back yet; access may continue until" in said
        assert "revoked" not in said
        assert wait_until(lambda: issuing.upstream()[0]["tries"] >= 2)
    issuing.kill()  # the tries go on where another broker starts
    issuing.start()
    assert wait_until(lambda: [item["state"] for item in issuing.upstream()] == ["revoke_pending"])
    issuing.server.start()
    assert wait_until(lambda: not issuing.server.live, 30)
    assert wait_until(lambda: not issuing.journal)
    assert "whole" in issuing.home.run("audit", "verify").stdout


def test_what_cannot_be_taken_back_is_shown_until_it_ends(issuing: Issuing) -> None:
    with connect(start=False) as client:
        lease = issuing.lease(client, "made://role/fixed")
        client.redeem(lease)
        client.end_lease(lease, 0)
    assert [item["state"] for item in issuing.upstream()] == ["expires_at"]
    assert "cannot be taken back" in issuing.home.run("lease", "list").stdout
    assert issuing.server.tries == 0


def test_a_broker_that_ends_takes_back_first(issuing: Issuing) -> None:
    with connect(start=False) as client:
        client.redeem(issuing.lease(client))
        assert issuing.process is not None
        issuing.process.terminate()
        issuing.process.wait(20)
    assert not issuing.server.live
    assert not issuing.journal


def test_a_damaged_entry_is_kept_and_told(issuing: Issuing) -> None:
    with connect(start=False) as client:
        client.redeem(issuing.lease(client))
        issuing.kill()
    (entry,) = issuing.journal
    raw = bytearray(entry.read_bytes())
    raw[-1] ^= 1
    entry.write_bytes(raw)
    issuing.start()
    assert issuing.upstream() == []
    assert issuing.home.json("lease", "list")["unread"] == 1
    assert issuing.journal == [entry]


def test_without_a_journal_nothing_is_handed_out(issuing: Issuing) -> None:
    folder = issuing.home.path / "state" / "upstream"
    with connect(start=False) as client:
        lease = issuing.lease(client)
        folder.write_text("in the way")
        with pytest.raises(LocumError) as caught:
            client.redeem(lease)
        assert caught.value.code.startswith(("unavailable.", "dir."))
    assert wait_until(lambda: not issuing.server.live), "it was issued already, and is taken back"
    folder.unlink()
