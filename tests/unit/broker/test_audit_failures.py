"""The record when the disk is full, when the file system refuses, and when the writer is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from locum.broker.audit import AuditLog, read_records
from locum.broker.audit_files import AuditFailed
from locum.broker.audit_verify import verify
from support.home import ROOT
from unit.broker.test_audit import derive


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_what_cannot_be_written_is_an_error_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The caller refuses the grant; so the record must not say that it was given, and the next one must fit."""
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive)
    writer.append("lease.grant", ok=True, durable=True, lease="before")

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(AuditFailed) as caught:
        writer.append("lease.grant", ok=True, durable=True, lease="never")
    assert "No space" in caught.value.message
    monkeypatch.undo()
    writer.append("lease.grant", ok=True, durable=True, lease="after")
    writer.close()
    assert verify(path, derive).ok
    assert [record["unmapped"].get("lease") for record in read_records(path)] == [None, "before", "after"]


def test_the_anchor_never_runs_ahead_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut an anchor that vouches for records that were not on disk yet would look like an attack."""
    steps: list[str] = []
    sync, replace = os.fsync, os.replace

    def syncing(descriptor: int) -> None:
        steps.append("sync " + Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    def replacing(source: Any, target: Any) -> None:
        steps.append("replace " + Path(target).name)
        replace(source, target)

    writer = AuditLog(tmp_path / "audit.jsonl", derive)
    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "replace", replacing)
    writer.append("lease.grant", ok=True, durable=True)
    assert steps == ["sync audit.jsonl", "sync audit.anchor.tmp", "replace audit.anchor"]


def test_half_a_record_that_cannot_be_taken_back_ends_the_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive)
    write = os.write

    def half(descriptor: int, data: Any) -> int:
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: len(data) - 50])

    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", half)
    monkeypatch.setattr(os, "ftruncate", refuse)
    for _ in range(2):
        with pytest.raises(AuditFailed):
            writer.append("lease.grant", ok=True, durable=True)
        monkeypatch.undo()
    writer.close()
    AuditLog(path, derive).close()
    assert verify(path, derive).ok
    assert [record["api"]["operation"] for record in read_records(path)] == ["log.segment", "log.recovered"]


KILLED = """
import hashlib, os, signal, sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from locum.broker.audit import AuditLog
from locum.secret import SecretBytes
def derive(salt): return SecretBytes(hashlib.sha256(b"the vault's key" + salt).digest())
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
for name in ("open", "fsync", "replace", "unlink", "close", "write"):
    setattr(os, name, dying(getattr(os, name), name == "write"))
log = AuditLog(Path(sys.argv[1]), derive)
log.append("lease.grant", ok=True, durable=True, lease="new")
log.close()
"""


def test_killed_at_any_step_it_verifies_after_the_next_start(tmp_path: Path) -> None:
    for step in range(1, 60):
        path = tmp_path / f"{step}.jsonl"
        command = [sys.executable, "-c", KILLED, str(path), str(step), str(ROOT / "server")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        AuditLog(path, derive).close()
        verdict = verify(path, derive)
        assert verdict.ok, (step, verdict)
        if done.returncode == 0:
            assert step > 10
            return
        assert done.returncode == -signal.SIGKILL, done.stderr
    pytest.fail("the write never finished")
