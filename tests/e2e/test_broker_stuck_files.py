"""A file system that a program of the same user serves, and lets others wait on: the broker waits for nothing of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from locum.broker.client import connect
from support.home import ROOT, Home, canary


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Path]:
    """Give a file whose every read and close waits."""
    folder = tmp_path / "stuck"
    folder.mkdir()
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/support/stuck_files.py"), str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    if server.stdout.readline().strip() != "ready":
        server.communicate("")
        pytest.skip("takes root and /dev/fuse")
    yield folder / "file"
    server.communicate("", timeout=30)


SENDER = """
import os, socket, struct, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
file = os.open(sys.argv[2], os.O_RDONLY)
text = b'{"id": 1, "method": "status", "params": {}}'
for _ in range(20):
    socket.send_fds(sock, [struct.pack(">II", len(text), 0) + text], [file])
print(int(b"result" in sock.recv(65536)), flush=True)
sys.stdin.read()
"""


def test_a_file_that_cannot_be_closed_holds_nobody_up(
    stuck: Path, vault_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCUM_HOME", str(vault_home.path))
    vault_home.store("KEY", canary())
    with connect() as known:
        sender = subprocess.Popen(  # a process of its own: whoever has the file open cannot start another, nor end
            [sys.executable, "-c", SENDER, str(vault_home.path / "run/agent.sock"), str(stuck)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert sender.stdout is not None
        assert sender.stdout.readline() == "1\n"
        known.list_secrets()
        pid = known.status()["pid"]
        known.stop()
    assert vault_home.json("secret", "list")["secrets"], "the next one has the place, though the first cannot end yet"
    assert vault_home.json("broker", "status")["pid"] != pid
    sender.kill()
