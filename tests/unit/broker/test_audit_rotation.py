"""The record over several files: the chain goes across, every file counts, and no crash in between does harm."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from locum.broker.audit import AuditLog, read_records
from locum.broker.audit_files import AuditFailed, full_files
from locum.broker.audit_verify import verify
from support.home import ROOT
from unit.broker.test_audit import derive

SMALL = 4000


def written(path: Path, count: int = 40) -> AuditLog:
    writer = AuditLog(path, derive, max_size=SMALL)
    for number in range(count):
        writer.append("lease.use", ok=True, durable=number % 5 == 0, lease=f"ls_{number}")
    return writer


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Give a closed record of 82 lines in many files, of two segments."""
    path = tmp_path / "audit.jsonl"
    written(path).close()
    written(path).close()
    assert len(full_files(path)) > 5
    return path


def names(path: Path) -> list[str]:
    return [file.name for file in full_files(path)]


def test_the_chain_goes_across_files(log: Path) -> None:
    verdict = verify(log, derive)
    assert (verdict.ok, verdict.records, verdict.files) == (True, 82, len(names(log)) + 1)
    assert names(log)[:2] == ["audit-000001.jsonl", "audit-000002.jsonl"]
    assert [record["metadata"]["sequence"] for record in read_records(log)] == list(range(1, 83))
    for file in [log, *full_files(log)]:
        assert file.stat().st_size <= SMALL
        assert file.stat().st_mode & 0o777 == 0o600


def changed(log: Path) -> None:
    file = full_files(log)[2]
    file.write_bytes(file.read_bytes().replace(b'"lease.use"', b'"lease.end"', 1))


def torn(log: Path) -> None:
    file = full_files(log)[2]
    file.write_bytes(file.read_bytes()[:-9])


def swapped(log: Path) -> None:
    one, other = full_files(log)[2:4]
    one.rename(log.with_name("x"))
    other.rename(one)
    log.with_name("x").rename(other)


def renumbered(log: Path) -> None:
    """Take a file away and close the gap."""
    files = full_files(log)
    files[2].unlink()
    for file, place in zip(files[3:], files[2:], strict=False):
        file.rename(place)


def doubled(log: Path) -> None:
    *_, before, last = full_files(log)
    shutil.copy(before, log.with_name(f"audit-{int(last.stem[-6:]) + 1:06}.jsonl"))


@pytest.mark.parametrize(
    ("attack", "file", "says"),
    [
        (changed, "audit-000003.jsonl", "changed"),
        (torn, "audit-000003.jsonl", "is torn"),
        (swapped, "audit-000003.jsonl", "are missing"),
        (renumbered, "audit-000003.jsonl", "are missing"),
        (lambda log: full_files(log)[0].unlink(), "audit-000002.jsonl", "audit-000001.jsonl is missing"),
        (lambda log: full_files(log)[2].unlink(), "audit-000004.jsonl", "audit-000003.jsonl is missing"),
        (lambda log: full_files(log)[-1].unlink(), "audit.jsonl", "are missing"),
        (lambda log: log.unlink(), "audit.jsonl", "missing at the end"),
        (lambda log: log.write_bytes(b""), "audit.jsonl", "missing at the end"),
        (doubled, "", "does not follow"),
    ],
)
def test_every_attack_on_files_shows_with_file_and_number(
    log: Path, attack: Callable[[Path], None], file: str, says: str
) -> None:
    spans = {path.name: numbers(path) for path in [*full_files(log), log]}
    attack(log)
    verdict = verify(log, derive)
    assert not verdict.ok
    assert says in verdict.reason
    assert verdict.file == (file or full_files(log)[-1].name)
    if attack in {changed, torn}:
        assert verdict.first_bad in spans[file]
    AuditLog(log, derive).close()
    assert not verify(log, derive).ok, "a new segment heals nothing"


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["metadata"]["sequence"] for line in path.read_bytes().splitlines()]


def test_an_old_file_is_full_too(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for _ in range(3):
        writer = AuditLog(path, derive, max_age=0)
        time.sleep(0.002)
        writer.append("lease.use", ok=True, durable=False)
        writer.close()
    assert names(path)
    assert verify(path, derive).ok
    count = len(names(path))
    AuditLog(path, derive).close()
    assert len(names(path)) == count, "within 30 days the file goes on"


def test_where_no_new_file_can_be_made_the_old_one_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    rename = os.rename

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "rename", refuse)
    writer = written(path)
    assert names(path) == []
    monkeypatch.setattr(os, "rename", rename)
    for _ in range(40):
        writer.append("lease.use", ok=True, durable=True)
    writer.close()
    assert names(path)
    assert verify(path, derive).ok


def test_it_is_read_and_verified_while_files_become_full(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive, max_size=SMALL)
    over = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not over.is_set():
            assert verify(path, derive).ok
            sequences = [record["metadata"]["sequence"] for record in read_records(path)]
            assert sequences == list(range(1, len(sequences) + 1))
            seen.append(len(sequences))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(600):
        writer.append("lease.use", ok=True, durable=False)
    over.set()
    reader.join()
    writer.close()
    assert seen
    assert verify(path, derive).ok


def test_a_second_broker_is_told_and_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive)
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT / 'server')!r}, {str(ROOT / 'tests')!r}]\n"
        "from pathlib import Path\nfrom unit.broker.test_audit import derive\nfrom locum.broker.audit import AuditLog\n"
        f"AuditLog(Path({str(path)!r}), derive)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "another broker is writing it" in done.stderr
    with pytest.raises(AuditFailed, match="another broker"):
        AuditLog(path, derive)
    writer.append("lease.use", ok=True, durable=True)
    writer.close()
    assert verify(path, derive).ok
    AuditLog(path, derive).close()


KILLED = """
import hashlib, os, pathlib, signal, sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from locum.broker.audit import AuditLog
from locum.secret import SecretBytes
def derive(salt): return SecretBytes(hashlib.sha256(b"the vault's key" + salt).digest())
log = AuditLog(Path(sys.argv[1]), derive, max_size=3000)
for _ in range(2): log.append("lease.use", ok=True, durable=False)
count, step = 0, int(sys.argv[2])
def dying(function, half=False):
    def inner(*args, **kwargs):
        global count
        count += 1
        if count == step:
            if half: function(args[0], args[1][:len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return inner
for name in ("open", "fsync", "replace", "rename", "unlink", "close", "write"):
    setattr(os, name, dying(getattr(os, name), name == "write"))
for _ in range(3): log.append("lease.grant", ok=True, durable=True, lease="new")
log.close()
"""


def test_killed_at_any_step_of_a_change_of_files_it_verifies(tmp_path: Path) -> None:
    for step in range(1, 90):
        path = tmp_path / str(step) / "audit.jsonl"
        path.parent.mkdir()
        command = [sys.executable, "-c", KILLED, str(path), str(step), str(ROOT / "server")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert verify(path, derive).ok, (step, verify(path, derive))
        AuditLog(path, derive).close()
        verdict = verify(path, derive)
        assert verdict.ok, (step, verdict)
        if done.returncode == 0:
            assert step > 30
            assert len(names(path)) > 0
            return
        assert done.returncode == -signal.SIGKILL, done.stderr
    pytest.fail("the write never finished")
