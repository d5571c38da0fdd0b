"""Who is at the other end of a socket, by the kernel's word."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from locum.broker import peer as peer_module
from locum.broker.aside import in_time
from locum.broker.peer import UNREADABLE, Peer, agent_marker, identify, pid_of, program_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="credentials and /proc of Linux")


def test_both_ends_know_each_other() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = identify(ours)
        assert (peer.pid, peer.uid, peer.binding) == (os.getpid(), os.geteuid(), "pidfd")
        assert pid_of(ours) == os.getpid()
        assert peer.alive()
        assert peer.shown() == os.path.basename(os.path.realpath(sys.executable))  # noqa: PTH119 - as the kernel names it
        peer.close()
        assert not peer.alive(), "what cannot be told is not alive"


def test_before_linux_6_5_the_handle_is_opened_by_number_and_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_module, "_SO_PEERPIDFD", 9999)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = identify(ours)
        assert peer.binding == "pidfd_open"
        assert peer.alive()
        peer.close()


def test_before_linux_6_5_a_connector_that_has_hung_up_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_module, "_SO_PEERPIDFD", 9999)
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(peer_module.NotAllowed):
        identify(ours)


def test_a_process_that_is_gone_is_not_alive_whoever_has_its_number() -> None:
    child = subprocess.Popen(["sleep", "60"])
    peer = Peer(child.pid, os.geteuid(), os.pidfd_open(child.pid))
    assert peer.alive()
    child.kill()
    child.wait()
    assert not peer.alive()
    peer.close()


def test_a_program_that_changed_since_it_connected_is_shown_with_both_names() -> None:
    """Trap: credentials are those of the connect; after an exec the same process is another program."""
    child = subprocess.Popen(["sh", "-c", "echo; read x; exec sleep 60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdin is not None
    child.stdout.readline()
    peer = Peer(child.pid, os.geteuid(), os.pidfd_open(child.pid), program=program_of(child.pid))
    shell = peer.shown()
    child.stdin.write(b"\n")
    child.stdin.close()
    while program_of(child.pid) == peer.program:
        pass
    assert peer.alive(), "it is the same process"
    assert peer.shown() != shell
    assert f"it connected as {shell}" in peer.shown()
    child.kill()
    child.wait()
    peer.close()


def test_an_environment_that_lets_us_wait_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What keeps a look waiting is here a pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setattr(peer_module, "LOOK_WITHIN", 0.05)
    monkeypatch.setattr(peer_module, "_marker", lambda _: pipe.read_text())
    assert agent_marker(os.getpid()) == UNREADABLE
    for _ in range(20):
        assert in_time(pipe.read_bytes, 0.01) is None
    assert sum(thread.name == "looker" for thread in threading.enumerate()) <= 8, "no more of them hang than a few"
    with pipe.open("wb"):  # lets them go
        pass
    while any(thread.name == "looker" for thread in threading.enumerate()):
        pass
    assert in_time(lambda: 7, 10) == 7
    with pytest.raises(ZeroDivisionError):
        in_time(lambda: 1 // 0, 10)


def test_a_marker_of_an_ancestor_is_found() -> None:
    script = "import os; print(os.getpid(), flush=True); os.read(0, 1)"
    inner = f"exec env -i {sys.executable} -c '{script}'"
    for outer, expected in ((["env", "CLAUDECODE=1"], "CLAUDECODE"), (["env"], agent_marker(os.getpid()))):
        child = subprocess.Popen(
            [*outer, "sh", "-c", 'exec 3<&0; sh -c "$1" <&3 & wait', "sh", inner],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout is not None
        assert agent_marker(int(child.stdout.readline())) == expected
        child.communicate("x")
