"""Floods against a real broker: ten thousand connections, random frames, requests that make no sense. It goes on for others."""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locum.broker import wire
from locum.broker.client import BrokerClient, connect
from locum.broker.endpoint.posix import socket_address
from locum.broker.limits import MAX_CONNECTIONS
from locum.errors import LocumError
from locum.paths import user_paths
from locum.secret import SecretBytes
from support.home import ROOT, Home, canary

METHODS = sorted(
    set(re.findall(r'"([a-z]+(?:\.[a-z_]+)?)": self\._', "".join(p.read_text("utf-8") for p in (ROOT / "server/locum/broker").glob("*.py"))))
    - {"broker.stop"}
)  # fmt: skip


@pytest.fixture
def attacked(vault_home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Give a home whose broker this process may talk to as a client."""
    monkeypatch.setenv("LOCUM_HOME", str(vault_home.path))
    vault_home.store("KEY", canary())
    return vault_home


def log_of(home: Home) -> str:
    return (home.path / "state/broker.log").read_text("utf-8", "replace")


def test_ten_thousand_connections_and_others_are_served(attacked: Home) -> None:
    with connect() as known:
        crowd = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/support/crowd.py"), str(user_paths().socket), "10000"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert crowd.stdout is not None
        assert crowd.stdout.readline() == "begun\n"
        served = 0
        while not select.select([crowd.stdout], [], [], 0)[0]:  # until it has made them all
            known.list_secrets()
            with connect(start=False) as new:
                assert new.status()["pid"] == known.status()["pid"]
            served += 1
        assert served > 3, "it was served before the crowd was through"
        with connect(start=False) as new:  # and while the crowd stays
            assert [item["name"] for item in new.list_secrets()] == ["KEY"]
        crowd.communicate("")
        assert crowd.returncode == 0
    assert log_of(attacked) == ""


def test_many_processes_may_not_take_all_places(attacked: Home) -> None:
    """Five processes with the most that one may have: more than there are places."""
    crowds = [
        subprocess.Popen(
            [sys.executable, str(ROOT / "tests/support/crowd.py"), str(user_paths().socket), "64"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(MAX_CONNECTIONS // 64 + 1)
    ]  # fmt: skip
    with connect() as known:
        known.list_secrets()
        for crowd in crowds:
            assert crowd.stdout is not None
            assert crowd.stdout.readline()
            assert crowd.stdout.readline() == "64\n"
        known.list_secrets()
        with connect(start=False) as new:
            new.list_secrets()
    for crowd in crowds:
        crowd.communicate("")
    assert log_of(attacked) == ""


@contextlib.contextmanager
def raw() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        with socket_address(user_paths()) as address:
            sock.connect(address)
        sock.settimeout(30)
        yield sock


def everything_from(sock: socket.socket) -> bytes:
    sock.shutdown(socket.SHUT_WR)
    found = b""
    with contextlib.suppress(OSError):
        while data := sock.recv(1 << 16):
            found += data
    return found


def is_harmless(answer: bytes) -> None:
    for trace in (b"Traceback", b'File \\"', b"broker.internal", b"object at 0x"):
        assert trace not in answer, answer


FRAMES = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=200).map(lambda data: struct.pack(">II", len(data), 0) + data),
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=50)).map(
        lambda parts: struct.pack(">II", parts[0], parts[1]) + parts[2]
    ),
    st.sampled_from([b"[" * 100_000, b'{"a":' * 40_000, b"1" * 5000, b'{"id":1e999}', b'{"id":NaN}', b'"\\ud800"', b"null", b"\xff\xfe"]).map(
        lambda text: struct.pack(">II", len(text), 0) + text
    ),
)  # fmt: skip


def test_random_frames(attacked: Home) -> None:
    with connect() as known:

        @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(st.lists(FRAMES, min_size=1, max_size=5))
        def frames(some: list[bytes]) -> None:
            with raw() as sock:
                with contextlib.suppress(OSError):
                    sock.sendall(b"".join(some))
                is_harmless(everything_from(sock))

        frames()
        known.status()
    assert log_of(attacked) == ""


NASTY = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(2**60, 2**2000), st.floats(), st.text(max_size=20),
    st.sampled_from([
        "KEY", "ls_", "/", "\ud800", "a\0b", "locum://KEY", "locum://KEY#x", "local", "env", "fd", "file", "../..", "x" * 5000, -1, 0, 1e308, float("inf"),
    ]),
)  # fmt: skip
VALUES = st.recursive(
    NASTY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    "id", "name", "new_name", "origin", "new", "undo", "argv", "cwd", "workspace", "task", "ttl", "reason", "channel", "files", "uses",
    "max_ttl", "die_with_broker", "grants", "exit_code", "since", "limit", "format", "content", "policy",
)  # fmt: skip
GRANTS = st.one_of(
    st.lists(
        st.fixed_dictionaries({}, optional=dict.fromkeys(("env", "reference", "source", "file"), NASTY)), max_size=3
    ),
    st.just([{"env": "KEY", "reference": "locum://KEY", "source": "local", "file": ""}]),
)
PARAMS = st.one_of(
    VALUES,
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES)),
    st.fixed_dictionaries(
        {
            "argv": st.lists(NASTY, min_size=1, max_size=3), "cwd": NASTY, "grants": GRANTS, "workspace": NASTY, "task": NASTY,
            "ttl": NASTY, "reason": NASTY, "channel": NASTY,
        },
        optional={"files": VALUES, "uses": NASTY, "max_ttl": NASTY, "die_with_broker": NASTY},
    ),
)  # fmt: skip


def test_random_requests(attacked: Home) -> None:
    planted = canary()
    before = attacked.everything_written()
    assert planted.encode() not in before
    with connect() as known:

        @settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
        @given(
            st.lists(
                st.tuples(st.sampled_from([*METHODS, "approve.answer", ""]), PARAMS, st.booleans()),
                min_size=1,
                max_size=6,
            )
        )
        def requests(some: list[tuple[str, Any, bool]]) -> None:
            with raw() as sock:
                for number, (method, params, with_value) in enumerate(some):
                    if method == "secret.store" and isinstance(params, dict) and isinstance(params.get("name"), str):
                        continue  # that is what it is for
                    text = json.dumps({"id": number, "method": method, "params": params}).encode()
                    payload = planted.encode() if with_value else b""
                    with contextlib.suppress(OSError):
                        sock.sendall(struct.pack(">II", len(text), len(payload)) + text + payload)
                answer = everything_from(sock)
                is_harmless(answer)
                assert planted.encode() not in answer

        requests()
        known.status()
        names = [item["name"] for item in known.list_secrets()]
    assert names == ["KEY"]
    assert planted.encode() not in attacked.everything_written()
    assert log_of(attacked) == ""


def test_bytes_without_end(attacked: Home) -> None:
    """A peer that only sends and one that never reads, while another works."""
    request = b"".join(bytes(part) for part in wire.encode({"id": 1, "method": "secret.list", "params": {}}))
    with raw() as sender, raw() as deaf:
        served = 0
        with contextlib.suppress(OSError):
            for number in range(2000):
                sender.sendall(request * 100)
                deaf.sendall(request * 100)
                if number % 500 == 0:
                    attacked.json("secret", "list")  # a process of its own: what one uses up others have
                    served += 1
        assert served
        attacked.json("secret", "list")
    assert log_of(attacked) == ""


def test_wrong_passphrases_have_a_rate(attacked: Home) -> None:
    codes: list[str] = []
    with connect() as client:
        for _ in range(12):
            with pytest.raises(LocumError) as caught:
                client.unlock(SecretBytes(b"not it"))
            codes.append(caught.value.code)
        assert "unavailable.rate" in codes
        assert isinstance(client, BrokerClient)
        client.status()
