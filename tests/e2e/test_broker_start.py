"""The broker process: how it starts, what it refuses, when it ends, and that there is one of it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from locum.broker import wire
from locum.broker.client import connect
from locum.broker.start import broker_command, broker_environment
from support.home import ROOT, Home, canary


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def until(condition: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_twenty_at_once_start_one(home: Home) -> None:
    starts = [
        subprocess.Popen(home.command("broker", "start"), env=home.env, cwd=home.project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(20)
    ]  # fmt: skip
    said = [start.communicate(timeout=60) for start in starts]
    assert [start.returncode for start in starts] == [0] * 20, said
    assert len({out for out, _ in said}) == 1, "all were told of one process"
    brokers = [
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"locum/broker/__main__.py" in _read(path)
        and f"LOCUM_HOME={home.path}".encode() in _read(path.with_name("environ"))
    ]
    if os.geteuid() == 0:  # others may not look
        assert len(brokers) == 1


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_one_that_is_just_leaving_is_waited_for(vault_home: Home) -> None:
    """Its socket is gone, its lock not yet: whoever starts another one then does not give up."""
    vault_home.store("KEY", canary())
    vault_home.run("broker", "stop")
    with (vault_home.path / "run/broker.lock").open("rb+") as lock:
        assert until(lambda: _is_free(lock.fileno()))
        start = subprocess.Popen(vault_home.command("secret", "list"), env=vault_home.env, cwd=vault_home.project)
        time.sleep(1)
    assert start.wait(60) == 0


def _is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_one_that_was_killed_is_followed_by_another(vault_home: Home) -> None:
    vault_home.store("KEY", canary())
    first = vault_home.json("broker", "status")["pid"]
    os.kill(first, signal.SIGKILL)
    assert until(lambda: ended(first))
    assert (vault_home.path / "run/agent.sock").exists(), "it left its socket behind"
    assert vault_home.json("broker", "status")["running"] is False
    assert [item["name"] for item in vault_home.json("secret", "list")["secrets"]] == ["KEY"]
    assert vault_home.json("broker", "status")["pid"] != first


@pytest.mark.parametrize("name", ["agent.sock", "broker.lock"])
def test_one_whose_place_is_taken_away_ends(vault_home: Home, name: str) -> None:
    vault_home.store("KEY", canary())
    first = vault_home.json("broker", "status")["pid"]
    (vault_home.path / "run" / name).unlink()
    assert until(lambda: ended(first))
    assert vault_home.json("secret", "list")["secrets"]


def test_idle_it_ends(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUM_HOME", str(home.path))
    broker = subprocess.Popen(broker_command("--idle-exit", "0.1"), env=broker_environment(), cwd="/")
    assert broker.wait(60) == 0
    assert not (home.path / "run/agent.sock").exists()


def test_a_connection_keeps_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUM_HOME", str(home.path))
    broker = subprocess.Popen(broker_command("--idle-exit", "1"), env=broker_environment(), cwd="/")
    assert until((home.path / "run/agent.sock").exists)
    with connect(start=False) as client:
        time.sleep(2.5)
        assert client.status()["pid"] == broker.pid
    assert broker.wait(60) == 0


def test_nothing_that_it_inherits_stays_open(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOCUM_HOME", str(home.path))
    reading, writing = os.pipe()
    ready, started = os.pipe()
    file = os.open(tmp_path, os.O_RDONLY)
    broker = subprocess.Popen(
        broker_command("--ready-fd", str(started)), env=broker_environment(), cwd="/", pass_fds=[writing, file, started]
    )
    os.close(writing)
    os.close(started)
    os.close(file)
    assert os.read(ready, 1) == b"1"
    assert os.read(reading, 1) == b"", "the other end of a pipe that it was not told of"
    assert os.read(ready, 1) == b""
    os.close(ready)
    os.close(reading)
    broker.terminate()
    assert broker.wait(30) == 0


def test_input_and_output_that_are_closed_are_opened_on_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its socket or its lock would be what the next error message is written to."""
    monkeypatch.setenv("LOCUM_HOME", str(home.path))
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *broker_command("--idle-exit", "1")]
    assert subprocess.run(command, env=broker_environment(), cwd="/", timeout=60).returncode == 0


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES"])
def test_with_a_preloaded_library_it_does_not_start(home: Home, name: str) -> None:
    env = broker_environment() | {"LOCUM_HOME": str(home.path), name: "/nowhere/evil.so"}
    done = subprocess.run(broker_command(), env=env, cwd="/", capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "preloaded" in done.stderr
    assert not (home.path / "run").exists()


def test_from_a_folder_that_everybody_can_write_to_it_does_not_start(home: Home, tmp_path: Path) -> None:
    place = tmp_path / "shared"
    shutil.copytree(ROOT / "server/locum", place / "locum", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-I", str(place / "locum/broker/__main__.py"), "--idle-exit", "0.1"]
    env = broker_environment() | {"LOCUM_HOME": str(home.path)}
    assert subprocess.run(command, env=env, cwd="/", timeout=60).returncode == 0
    for folder in (place / "locum", place):
        folder.chmod(0o777)
        done = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert f"everybody can write to {folder}" in done.stderr
        folder.chmod(0o755)


def test_one_whose_vault_hangs_ends_all_the_same(vault_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread waits for a disk that does not answer (here: for a lock); the place is free for the next one."""
    monkeypatch.setenv("LOCUM_HOME", str(vault_home.path))
    vault_home.store("KEY", canary())
    with (vault_home.path / "data/vault.locum.lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with connect() as client:
            pid = client.status()["pid"]
            message = {"id": 9, "method": "secret.store", "params": {"name": "OTHER", "origin": "test"}}
            client._send(wire.encode(message, b"a value"), None)  # pyright: ignore[reportPrivateUsage] - without waiting
            time.sleep(0.3)
            os.kill(pid, signal.SIGTERM)
            assert until(lambda: ended(pid))


HIJACKS = (
    "LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHON_KEYRING_BACKEND",
    "PYTHON_KEYRING_CONFIG", "KEYRING_PROPERTY_X", "GCONV_PATH", "LOCPATH", "NLSPATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "SSLKEYLOGFILE", "OPENSSL_CONF", "OPENSSL_MODULES", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "https_proxy",
    "ALL_PROXY", "NO_PROXY", "XDG_DATA_DIRS", "XDG_CONFIG_DIRS", "MALLOC_TRACE", "GLIBC_TUNABLES", "TMPDIR", "PATH", "BASH_ENV", "ENV", "IFS",
)  # fmt: skip
"""Variables by which a caller makes a process load, read, trust or write what the caller chose."""


def test_no_variable_of_the_caller_steers_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCUM_HOME", str(home.path))
    planted = canary()
    for name in HIJACKS:
        monkeypatch.setenv(name, planted)
    assert planted not in json.dumps(broker_environment())
    assert broker_environment()["LOCUM_HOME"] == str(home.path)


def test_it_imports_from_the_package_and_the_interpreter_only(home: Home, tmp_path: Path) -> None:
    """Also not from where it is started, nor from a user's own site-packages."""
    script = "import runpy, sys; sys.argv = ['x', '--help']\ntry: runpy.run_path({!r})\nfinally: pass\nprint(sys.path)".format(
        str(ROOT / "server/locum/broker/__main__.py")
    )
    (tmp_path / "json.py").write_text("raise SystemExit('hijacked')")
    done = subprocess.run(
        [sys.executable, "-I", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=home.env | {"HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    where = [Path(entry) for entry in eval(done.stdout.splitlines()[-1])]
    allowed = (Path(sys.base_prefix), Path(sys.prefix), ROOT / "server")
    assert all(any(entry.is_relative_to(place) for place in allowed) for entry in where), where


def test_status_says_what_it_is(vault_home: Home) -> None:
    vault_home.store("KEY", canary())
    status = vault_home.json("broker", "status")
    assert status["root"] is (os.geteuid() == 0)
    assert (status["binding"], status["sender"]) == ("pidfd", "every message")
    assert status["memory"] in ("locked", "may be swapped")
    assert status["uptime"] >= 0
    text = vault_home.run("broker", "status").stdout
    assert ("runs as root" in text) is (os.geteuid() == 0)
    assert str(status["pid"]) in text


def test_a_core_is_never_written(vault_home: Home) -> None:
    vault_home.store("KEY", canary())
    limits = Path(f"/proc/{vault_home.json('broker', 'status')['pid']}/limits")
    try:
        text = limits.read_text()
    except OSError:
        pytest.skip("takes root, to look at it")
    (line,) = [line for line in text.splitlines() if "core file size" in line]
    assert line.split()[4:6] == ["0", "0"]
