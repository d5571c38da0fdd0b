"""`locum hook` as clients run it: a process of its own, alone and with the resident."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from locum.agents.hooks.clients import CLIENTS
from locum.agents.hooks.quick import SOCKET, SWITCH, runtime_folder
from locum.broker.start import start_with_control
from locum.paths import user_paths
from support.home import Home, canary
from support.hook_events import EVENTS, Json, says_no
from support.tokens import github_token


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    del made.env[SWITCH]
    yield made
    for pid in _residents(made):
        os.kill(pid, signal.SIGTERM)


def _residents(home: Home) -> list[int]:
    """Return the residents of a home: those whose variables say it."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                is_one = b"hooks.resident" in (entry / "cmdline").read_bytes()
                if is_one and f"LOCUM_HOME={home.path}\0".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _hook(home: Home, client: str, event: Json | bytes, *extra: str, **env: str) -> subprocess.CompletedProcess[str]:
    raw = event if isinstance(event, bytes) else json.dumps(event).encode()
    hint = ("--event", EVENTS[client].hint) if EVENTS[client].hint and not extra else extra
    done = subprocess.run(
        home.command("hook", client, *hint),
        input=raw,
        capture_output=True,
        env=home.env | env,
        cwd=home.project,
        timeout=60,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def _ready(home: Home) -> Path:
    path = home.path / "run" / SOCKET
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return path
        time.sleep(0.05)
    raise AssertionError("no resident came")


@pytest.mark.parametrize("client", CLIENTS)
def test_alone_and_with_the_resident_the_answer_is_the_same(home: Home, client: str) -> None:
    value = github_token()
    (home.project / ".env").write_text(f"TOKEN={value}\n")
    cwd, events = str(home.project), EVENTS[client]
    cases = [
        events.write(cwd, f"{cwd}/a.py", f'x = "{value}"\n'), events.write(cwd, f"{cwd}/a.py", "x = 1\n"),
        events.read(cwd, f"{cwd}/.env"), events.shell(cwd, "cat .env"), events.shell(cwd, "ls"),
        events.prompt(cwd, f"use {value}"), events.prompt(cwd, "use it"), b"{",
    ]  # fmt: skip
    alone = [_hook(home, client, case, **{SWITCH: "0"}) for case in cases]
    assert not (home.path / "run" / SOCKET).exists()
    _hook(home, client, cases[0])
    _ready(home)
    resident = [_hook(home, client, case) for case in cases]
    for one, other in zip(alone, resident, strict=True):
        assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, other.stderr)
        assert value[6:20] not in one.stdout + one.stderr
    assert says_no(client, resident[0].stdout, resident[0].returncode)
    assert len(_residents(home)) == 1


def test_what_the_callers_variables_decide_is_answered_by_the_caller(home: Home) -> None:
    event = EVENTS["claude"].shell(str(home.project), "printenv")
    _hook(home, "claude", event)
    _ready(home)
    value = github_token()
    assert _hook(home, "claude", event, MY_TOKEN=value).returncode == 2
    assert _hook(home, "claude", event).returncode == 0


def test_a_resident_that_hangs_or_says_nonsense_or_dies_stops_nobody(home: Home) -> None:
    folder = home.path / "run"
    folder.mkdir(mode=0o700)
    event = EVENTS["claude"].write(str(home.project), "a.py", f'x = "{github_token()}"\n')
    for answer in (None, b"", b"\1", b"\0"):
        with socket.socket(socket.AF_UNIX) as false:
            false.bind(str(folder / SOCKET))
            false.listen()
            asked = subprocess.Popen(
                home.command("hook", "claude"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=home.env,
            )
            assert asked.stdin is not None
            asked.stdin.write(json.dumps(event).encode())
            asked.stdin.close()
            connection, _ = false.accept()
            with connection:
                if answer is not None:
                    with contextlib.suppress(OSError):  # on a busy machine it may have stopped waiting
                        connection.recv(1 << 20)
                        connection.sendall(answer)
                    connection.close()
                assert asked.wait(30) == 2
        (folder / SOCKET).unlink(missing_ok=True)


def test_a_resident_ends_with_its_socket_and_for_another_version(home: Home) -> None:
    event = EVENTS["claude"].shell(str(home.project), "ls")
    _hook(home, "claude", event)
    path = _ready(home)
    assert path.stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as older:
        older.connect(str(path))
        older.sendall(b"0.0.0\n" + b"x" * 200)
        older.shutdown(socket.SHUT_WR)
        older.recv(10)
    end = time.monotonic() + 20
    while _residents(home) and time.monotonic() < end:
        time.sleep(0.1)
    assert not _residents(home)


def test_nothing_of_an_event_is_kept_on_disk(home: Home) -> None:
    value = canary()
    event = EVENTS["claude"].prompt(str(home.project), f"GITHUB_TOKEN={github_token()} {value}")
    _hook(home, "claude", event)
    _ready(home)
    _hook(home, "claude", event)
    for path in home.path.rglob("*"):
        if path.is_file():
            assert value.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("runtime", ["", "XDG"])
def test_the_quick_way_to_the_folder_is_the_long_one(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCUM_HOME", raising=False)
    if runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    else:
        monkeypatch.setenv("LOCUM_HOME", str(tmp_path))
    assert runtime_folder() == str(user_paths().runtime)


def test_usage(home: Home) -> None:
    for arguments in ((), ("nobody",), ("claude", "--what"), ("claude", "--event", "x", "y")):
        done = subprocess.run(
            home.command("hook", *arguments), input=b"", capture_output=True, env=home.env, timeout=30
        )
        assert done.returncode == 2
        assert b"Usage: locum hook CLIENT" in done.stderr
    assert (
        b"claude"
        in subprocess.run(home.command("hook", "--help"), capture_output=True, env=home.env, timeout=30).stdout
    )


def test_masked_output_is_the_commands_own_without_its_secrets(home: Home) -> None:
    value = github_token()
    done = home.run("mask", "--", "sh", "-c", f"echo out {value}; echo err {value} >&2; exit 7", check=7)
    assert value[6:20] not in done.stdout + done.stderr
    assert "out <locum:redacted github-pat>" in done.stdout
    assert "err <locum:redacted github-pat>" in done.stderr
    odd = bytes(range(256)) * 3
    (home.project / "odd").write_bytes(odd)
    masked = subprocess.run(
        home.command("mask", "--", "cat", "odd"), capture_output=True, env=home.env, cwd=home.project, timeout=30
    )
    assert masked.stdout == odd
    home.run("mask", "--", "no-such-program", check=127)


def test_masked_output_has_the_vaults_names(home: Home) -> None:
    value = github_token()
    home.run("vault", "init", "--key-file")
    home.run("secret", "set", "MY_TOKEN", "--stdin", stdin=value)
    assert home.run("mask", "--", "echo", f"token {value}").stdout == "token locum://MY_TOKEN\n"


@pytest.mark.parametrize("allowed", [True, False])
def test_a_pasted_value_is_kept_if_the_person_says_yes_and_not_else(
    home: Home, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    home.run("vault", "init", "--key-file")
    home.run("broker", "stop", check=None)
    monkeypatch.setenv("LOCUM_HOME", str(home.path))
    channel = start_with_control(user_paths())
    assert channel is not None
    value = github_token()
    _hook(home, "claude", EVENTS["claude"].shell(str(home.project), "ls"))
    _ready(home)
    asked = subprocess.Popen(
        home.command("hook", "claude"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=home.env,
        text=True,
    )
    assert asked.stdin is not None
    asked.stdin.write(json.dumps(EVENTS["claude"].prompt(str(home.project), f"deploy with {value}")))
    asked.stdin.close()
    question = channel.next_question(20)
    assert question is not None
    assert question["title"] == "Store GITHUB_TOKEN in your vault?"
    assert value not in json.dumps(question)
    channel.answer(question["id"], allow=allowed)
    assert asked.wait(30) == 2
    assert asked.stderr is not None
    said = asked.stderr.read()
    assert "deploy with locum://GITHUB_TOKEN" in said
    assert ("Stored as GITHUB_TOKEN" in said) is allowed
    names = [item["name"] for item in home.json("secret", "list")["secrets"]]
    assert names == (["GITHUB_TOKEN"] if allowed else [])
    channel.close()
