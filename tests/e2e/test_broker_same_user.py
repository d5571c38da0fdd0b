"""A program of the same user against the broker, without root's rights: what it can get, and what it cannot."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.home import ROOT, canary
from support.other_user import UID, OthersHome, others_home

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and credentials of Linux")

DISTURBING = ("lease.revoke", "vault.lock")
"""What every client may do: it takes away, and gives nothing."""
MADE_UP = (
    "approve.answer", "approve", "control.hold", "control.pair", "hello", "policy.allow", "policy.add", "policy.set", "secret.get",
    "secret.reveal", "secret.export", "vault.export", "vault.key", "lease.grant", "lease.approve", "__init__", "call", "",
)  # fmt: skip
"""What a broker might do for whoever asks. Ours must not know it, or must not do it."""


def methods() -> list[str]:
    """Return every method that the broker's source has, those that disturb last."""
    source = "".join(path.read_text("utf-8") for path in (ROOT / "server/locum/broker").glob("*.py"))
    named = set(re.findall(r'"([a-z]+(?:\.[a-z_]+)?)": self\._', source))
    assert {"status", "lease.redeem", "secret.store", "vault.unlock"} <= named
    first = sorted((named | set(MADE_UP)) - {"broker.stop", *DISTURBING})
    return [*first, *DISTURBING]


@pytest.fixture
def others() -> Iterator[OthersHome]:
    """Give a home of a user without rights."""
    with others_home() as place:
        yield place


def with_passphrase(home: OthersHome) -> str:
    """Make a vault that opens by a passphrase: with a key file, whoever may read that file has it all."""
    passphrase = canary(20)
    reading, writing = os.pipe()
    os.write(writing, passphrase.encode() + b"\n")
    os.close(writing)
    done = subprocess.run(
        home.command("vault", "init"), env=home.env | {"LOCUM_PASSPHRASE_FD": str(reading)}, pass_fds=[reading],
        cwd=home.project, capture_output=True, text=True,
    )  # fmt: skip
    os.close(reading)
    assert done.returncode == 0, done.stderr
    return passphrase


def scene(home: OthersHome, passphrase: str, value: str) -> dict[str, Any]:
    """Let a hostile program loose beside a session with a live lease; return what both say of it."""
    session = home.start_python("scene.py", passphrase, value)
    assert session.stdin is not None
    assert session.stdout is not None
    told = json.loads(session.stdout.readline())
    attack = home.start_python("hostile.py", str(home.path), str(told["pid"]), told["lease"], told["undo"], *methods())
    out, problems = attack.communicate(value, timeout=100)
    assert not problems
    rest, problems = session.communicate("over\n", timeout=60)
    assert session.returncode == 0, problems
    return {**json.loads(rest), "attack": json.loads(out)}


def test_it_says_everything_and_gets_no_yes_no_value_and_no_policy(others: OthersHome) -> None:
    passphrase, value = with_passphrase(others), canary()
    report = scene(others, passphrase, value)
    attack, codes = report["attack"], report["attack"]["codes"]
    assert attack["uid"] == (UID if os.geteuid() == 0 else os.geteuid())
    assert attack["sockets"] == 1
    assert attack["files"] >= 3
    assert attack["bytes"] > 10_000, "it has read and heard something"
    assert attack["values"] == 0
    assert attack["control"] == 0
    assert not report["changed policy"]
    assert report["secrets"] in (["FRESH_ONE", "KEY", "NO_SUCH"], "locked.passphrase"), (
        "new names it may store; KEY stays"
    )
    for method in MADE_UP:
        assert "ok" not in codes[method], method
    for method in ("lease.request", "lease.redeem", "lease.end", "secret.copy", "secret.remove", "secret.discard"):
        assert "ok" not in codes[method], f"{method}: {codes[method]}"
        assert any(code.startswith("denied") for code in codes[method]), f"{method}: {codes[method]}"
    assert "ok" not in codes["policy.request"]
    assert "denied.refused" in codes["policy.request"]
    assert "ok" not in codes["policy.adopt"]
    assert report["questions"] > 0, "it made the broker ask, and the person said no"
    assert "broker.internal" not in {code for some in codes.values() for code in some}
    assert value not in others_log(others)


def test_proc_of_the_broker_is_closed(others: OthersHome) -> None:
    report = scene(others, with_passphrase(others), canary())["attack"]
    closed = {way: code for way, code in report["broker"].items() if code not in (errno.EACCES, errno.EPERM)}
    assert not closed, f"{closed} of the broker"
    open_ways = [way for way, code in report["innocent"].items() if code == 0]
    assert len(open_ways) >= len(report["innocent"]) - 3, (
        f"the same user's other process is closed too: {report['innocent']}"
    )
    assert {"environ", "mem", "fd", "ptrace attach"} <= set(open_ways)


def test_what_it_wrecks_is_seen_and_gives_nothing(others: OthersHome) -> None:
    passphrase = with_passphrase(others)
    scene(others, passphrase, canary())
    broker = others.json("broker", "status")["pid"]
    assert others.start_python("hostile.py", "wreck", str(others.path)).wait(60) == 0
    end = time.monotonic() + 20
    while Path(f"/proc/{broker}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{broker}").exists(), "a broker whose place was taken away ends, and its leases with it"
    reading, writing = os.pipe()
    os.write(writing, passphrase.encode() + b"\n")
    os.close(writing)
    done = subprocess.run(
        others.command("vault", "unlock"), env=others.env | {"LOCUM_PASSPHRASE_FD": str(reading)}, pass_fds=[reading],
        cwd=others.project, capture_output=True, text=True,
    )  # fmt: skip
    os.close(reading)
    assert done.returncode != 0, "an edited vault does not open"
    assert "vault" in done.stderr
    done = others.run("run", "--secret", "KEY", "--", "env", check=None)
    assert done.returncode in (2, 3), "neither an edited vault nor a policy that somebody wrote allows anything"


def test_a_broker_of_another_user_is_not_spoken_to(
    others: OthersHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not others.prefix:
        pytest.skip("takes root, to be two users")
    place = others.path / "run"
    place.mkdir(mode=0o700)
    os.chown(place, UID, UID)
    script = (
        "import socket, sys, os; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); "
        "print(flush=True); c, _ = s.accept(); print(len(c.recv(100)), flush=True)"
    )
    squatter = subprocess.Popen(
        [*others.prefix, sys.executable, "-c", script, str(place / "agent.sock")],
        stdout=subprocess.PIPE,
        cwd=others.project,
    )
    assert squatter.stdout is not None
    squatter.stdout.readline()
    os.chown(place, 0, 0)  # even if the folder were ours: whose process listens decides
    own = subprocess.run(
        [sys.executable, "-m", "locum", "secret", "list"], env=others.env, cwd=tmp_path, capture_output=True, text=True
    )
    assert own.returncode != 0
    assert "belongs to another user" in own.stderr
    assert squatter.stdout.readline().strip() == b"0", "not a byte was sent to it"
    squatter.wait()


def others_log(home: OthersHome) -> str:
    log = home.path / "state/broker.log"
    return log.read_text("utf-8") if log.exists() else ""
