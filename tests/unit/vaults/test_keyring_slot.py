"""The process that asks the keyring: its deadline, its environment, its words. With a bus that never answers."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from locum.secret import SecretBytes
from locum.vaults.interface import Unavailable, VaultLocked
from locum.vaults.local import keyring_slot
from locum.vaults.local.keyring_probe import BACKENDS

PROBE = Path(keyring_slot.__file__).with_name("keyring_probe.py")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="D-Bus is Linux's way to the keyring")


class SilentBus:
    """A D-Bus that takes connections and says nothing."""

    def __init__(self, path: Path) -> None:
        self.address = f"unix:path={path}"
        self.left = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                while connection.recv(4096):
                    pass
                self.left.set()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentBus]:
    made = SilentBus(tmp_path / "bus")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", made.address)
    yield made
    made.close()


def test_a_hung_bus_hangs_nobody(bus: SilentBus) -> None:
    status = keyring_slot.keyring_status()
    assert isinstance(status, Unavailable)
    assert "does not answer" in status.reason
    assert "--passphrase" in status.remedy
    assert bus.left.wait(10), "the process that waited for it is gone too"


def test_a_hung_bus_ends_storing_and_loading_as_well(bus: SilentBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring_slot, "UNLOCK_SECONDS", 1.0)
    with pytest.raises(VaultLocked) as storing:
        keyring_slot.store_key("account", SecretBytes(b"x" * 32))
    with pytest.raises(VaultLocked) as loading:
        keyring_slot.load_key("account")
    for caught in (storing, loading):
        assert caught.value.code == "locked.keyring"
        assert "does not answer" in caught.value.message


def test_what_waits_forever_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a library does in there, also what it started: nothing outlives the deadline."""
    pids = tmp_path / "pids"
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\nsleep 3600 &\necho $$ $! > {pids}\nwait\n")
    fake.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(fake))
    monkeypatch.setattr(keyring_slot, "STATUS_SECONDS", 1.0)
    status = keyring_slot.keyring_status()
    assert isinstance(status, Unavailable)
    assert "does not answer" in status.reason
    end = time.monotonic() + 10
    for pid in pids.read_text().split():
        while not is_over(int(pid)) and time.monotonic() < end:
            time.sleep(0.01)  # killed, and on a busy machine not gone at once
        assert is_over(int(pid))


def is_over(pid: int) -> bool:
    """Say whether a process has ended, also when nobody has asked for its exit code yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_without_the_library_it_says_so() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", str(PROBE), "status", "-"], capture_output=True, text=True)
    assert json.loads(done.stdout) == {"ok": False, "reason": "uninstalled"}
    reason, remedy = keyring_slot._explain(json.loads(done.stdout))
    assert "library" in reason
    assert "pip install" in remedy


@pytest.mark.parametrize("reason", [*keyring_slot._REASONS, "what nobody knows", None, 5])
def test_every_reason_has_a_cause_and_a_remedy(reason: object) -> None:
    assert all(keyring_slot._explain({"reason": reason}))


@pytest.mark.parametrize(
    "answer", ["", "[]", "null", "no json", '{"ok": true, "key": "***"}', '{"ok": true, "key": 5}']
)
def test_an_odd_answer_opens_nothing(answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\nprintf %s '{answer}'\n")
    fake.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(VaultLocked):
        keyring_slot.load_key("account")


def test_only_what_a_keyring_needs_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen"
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\nenv > {seen}; pwd >> {seen}; echo "$@" >> {seen}\n')
    fake.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(fake))
    for name in (
        "PYTHON_KEYRING_BACKEND",
        "PYTHONPATH",
        "LD_PRELOAD_X",
        "HTTPS_PROXY",
        "KEYRING_PROPERTY_X",
        "API_KEY",
    ):
        monkeypatch.setenv(name, "planted")
    key = SecretBytes(os.urandom(32))
    with pytest.raises(VaultLocked):
        keyring_slot.store_key("account", key)
    text = seen.read_text()
    assert base64.b64encode(key.view()).decode() not in text, "the key is in no argument and no environment"
    assert "planted" not in text
    assert "-I" in text
    assert "store account" in text
    assert "\n/\n" in text


def test_no_backend_keeps_keys_in_the_open() -> None:
    """Only keyrings of operating systems; keyring's own choice, and with it any plugin, is never asked."""
    kinds = {"SecretService", "libsecret", "kwallet", "macOS", "Windows"}
    assert {
        name.split(":")[0].removeprefix("keyring.backends.") for names in BACKENDS.values() for name in names
    } == kinds
    code = [line for line in PROBE.read_text().split('"""')[2].splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in code if "get_keyring" in line or "load_keyring" in line]
