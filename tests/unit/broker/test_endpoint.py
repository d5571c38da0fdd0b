"""The seam to other systems, as far as it is text and numbers; and that a client loads where those systems lack modules."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.broker.endpoint import client_side, posix, posix_server, windows
from locum.broker.endpoint.darwin import AuditToken, read_token
from locum.broker.endpoint.server import server_side
from locum.broker.endpoint.windows import is_pipe_name, new_pipe_name, owner_only
from locum.errors import Unavailable
from locum.paths import Paths
from support.home import ROOT

SID = "S-1-5-21-1004336348-1177238915-682003330-512"
SIDS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=15).map(
    lambda parts: "S-1-5-" + "-".join(map(str, parts))
)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=8, max_size=8))
def test_an_audit_token_is_read_as_bsm_says(fields: list[int]) -> None:
    assert read_token(struct.pack("=8I", *fields)) == AuditToken(euid=fields[1], pid=fields[5], version=fields[7])


@given(st.binary().filter(lambda raw: len(raw) != 32))
def test_an_audit_token_of_another_size_is_none(raw: bytes) -> None:
    with pytest.raises(ValueError, match="size"):
        read_token(raw)


@given(SIDS, SIDS)
def test_a_pipe_is_named_after_its_user_and_anew_each_time(mine: str, yours: str) -> None:
    name = new_pipe_name(mine)
    assert name.startswith(rf"\\.\pipe\locum-{mine}-")
    assert len(name) < 256, "the longest that CreateNamedPipe takes"
    assert name != new_pipe_name(mine)
    assert is_pipe_name(name, mine)
    assert is_pipe_name(name, yours) is (mine == yours)


@pytest.mark.parametrize(
    "name",
    [
        "", rf"\\server\pipe\locum-{SID}-{'0' * 32}", rf"\\.\pipe\locum-{SID}-{'0' * 31}", rf"\\.\pipe\locum-{SID}-{'0' * 32}\x",
        rf"\\.\pipe\locum-{SID}-{'0' * 32}" + "\n", rf"\\.\pipe\other-{SID}-{'0' * 32}", rf"\\.\pipe\..\locum-{SID}-{'0' * 32}",
        rf"C:\locum-{SID}-{'0' * 32}", rf"\\.\pipe\locum-{SID.replace('5', 'x')}-{'0' * 32}", rf"\\.\pipe\locum-{SID}-{chr(0x660) * 32}",
    ],
)  # fmt: skip
def test_a_published_name_that_leads_elsewhere_is_refused(name: str) -> None:
    assert not is_pipe_name(name, SID)


def test_a_pipe_is_for_its_owner_alone() -> None:
    assert owner_only(SID) == f"O:{SID}D:P(A;;GA;;;{SID})", "protected, one entry: nothing inherited, nobody else"


def test_structures_are_as_long_as_the_system_says() -> None:
    import ctypes

    pointer = ctypes.sizeof(ctypes.c_void_p)
    assert ctypes.sizeof(windows.Overlapped) == 3 * pointer + 8
    assert ctypes.sizeof(windows.SecurityAttributes) == 3 * pointer


POSIX_ONLY = ("fcntl", "termios", "pty", "tty", "resource", "grp", "pwd", "posix_ipc")
LOADED_ANYWHERE = (
    "locum.broker.client", "locum.broker.start", "locum.broker.wire", "locum.broker.endpoint.windows",
    "locum.broker.endpoint.windows_server", "locum.broker.connection", "locum.broker.clients", "locum.broker.harden",
    "locum.broker.peer", "locum.broker.aside", "locum.broker.endpoint.darwin", "locum.broker.serve",
)  # fmt: skip


@pytest.mark.parametrize("module", LOADED_ANYWHERE)
def test_it_loads_without_the_modules_of_posix(module: str) -> None:
    """As on Windows: those modules are not there, and the platform says so to whoever asks from here on."""
    script = (
        "import sys, asyncio, ctypes, ctypes.wintypes, subprocess, socket, threading, tempfile, concurrent.futures, pathlib, random, uuid\n"
        f"for name in {POSIX_ONLY}: sys.modules[name] = None\n"
        "import types; sys.modules['msvcrt'] = types.ModuleType('msvcrt')\n"
        "sys.platform = 'win32'\n"
        f"import importlib; importlib.import_module({module!r})\n"
        "from locum.broker.endpoint import client_side; print(client_side().__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(ROOT / "server")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "locum.broker.endpoint.windows"


def test_here_it_is_a_socket() -> None:
    assert client_side() is posix
    assert server_side() is posix_server


def paths_in(base: Path) -> Paths:
    return Paths(base, base, base, base)


def test_nobody_there_is_none_and_a_file_in_the_way_is_no_broker(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert posix.connect(paths_in(tmp_path)) is None
    left_behind = socket.socket(socket.AF_UNIX)
    left_behind.bind(str(tmp_path / "agent.sock"))
    left_behind.close()
    assert posix.connect(paths_in(tmp_path)) is None
    (tmp_path / "agent.sock").unlink()
    (tmp_path / "agent.sock").symlink_to("nowhere")
    assert posix.connect(paths_in(tmp_path)) is None
    (tmp_path / "agent.sock").unlink()
    (tmp_path / "agent.sock").write_text("no socket")
    assert posix.connect(paths_in(tmp_path)) is None


def test_a_datagram_socket_in_the_way_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(tmp_path / "agent.sock"))
        with pytest.raises(Unavailable):
            posix.connect(paths_in(tmp_path))


def test_a_wait_works_above_descriptor_1023() -> None:
    """An editor's process may have that many; `select` would fail."""
    ours, theirs = socket.socketpair()
    high = os.dup2(ours.fileno(), 1500)
    with socket.socket(fileno=high) as sock, theirs, ours:
        assert not posix.wait_readable(sock, 0)
        theirs.send(b"x")
        assert posix.wait_readable(sock, 10)
        assert posix.wait_readable(sock, None)
