"""What a power cut, a disk that refuses, and a clock that was set back leave in the record: each is named as what it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locum.broker import audit as audit_module
from locum.broker.audit import AuditLog, read_records
from locum.broker.audit_asker import about_process
from locum.broker.audit_commit import Committer
from locum.broker.audit_files import AuditFailed
from locum.broker.audit_verify import verify
from locum.broker.record import Record
from support.home import ROOT, canary
from unit.broker.test_audit import derive


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive)
    for number in range(6):
        writer.append("lease.use", ok=True, durable=number % 2 == 0, lease=f"ls_{number}")
    writer.close()
    return path


GARBAGE = {
    "zeros": bytes(9000),
    "zeros and a line end": bytes(3000) + b"\n",
    "half a character": b'{"a":"\xe2\x82',
    "half a character and a line end": b'{"a":"\xe2\x82\n',
    "lines of noise": b"\xff\xfe\n\x00\x01\n{}\n",
    "half a line": b'{"activity_id":99,"actor"',
    "a line end": b"\n",
    "other JSON": b'{"metadata":{"sequence":8}}\n[]\n',
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_damaged_end_is_cut_to_the_last_record_and_told_with_its_size(log: Path, kind: str) -> None:
    whole = log.read_bytes()
    log.write_bytes(whole + GARBAGE[kind])
    AuditLog(log, derive).close()
    assert log.read_bytes().startswith(whole + b'{"activity_id"')
    *_, last = read_records(log)
    assert (last["api"]["operation"], last["status_id"]) == ("log.recovered", 1)
    assert last["unmapped"]["bytes"] == len(GARBAGE[kind])
    assert verify(log, derive).ok


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(data=st.data())
def test_every_changed_byte_of_any_line_shows_with_its_number(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "audit.jsonl"
    if not path.exists():
        writer = AuditLog(path, derive)
        for _ in range(4):
            writer.append("lease.use", ok=True, durable=True)
        writer.close()
    original = path.read_bytes()
    place = data.draw(st.integers(0, len(original) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != original[place]))
    try:
        path.write_bytes(original[:place] + bytes([byte]) + original[place + 1 :])
        verdict = verify(path, derive)
        assert not verdict.ok
        assert verdict.first_bad == original[:place].count(b"\n") + 1
        assert verdict.file == path.name
    finally:
        path.write_bytes(original)


def test_what_the_anchor_vouches_for_is_never_cut(log: Path) -> None:
    """Damage to records that were on disk is no crash: it stays for all to see."""
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-1]) + bytes(100) + b"\n")
    AuditLog(log, derive).close()
    assert bytes(100) in log.read_bytes()
    assert not verify(log, derive).ok


def test_a_record_behind_damage_is_never_cut(log: Path) -> None:
    anchor = log.with_suffix(".anchor")
    lines = log.read_bytes().splitlines(keepends=True)
    kept = anchor.read_text()
    log.unlink()
    anchor.unlink()
    log.write_bytes(lines[0])
    anchor.write_text(kept)
    log.write_bytes(b"".join(lines[:3]) + b"damage\n" + b"".join(lines[4:]))
    size = log.stat().st_size
    AuditLog(log, derive).close()
    assert log.stat().st_size > size
    assert verify(log, derive).first_bad == 4


def test_the_rest_is_on_disk_and_anchored_a_moment_later(tmp_path: Path) -> None:
    committed = threading.Event()
    log = AuditLog(tmp_path / "audit.jsonl", derive)

    def commit() -> None:
        log.commit()
        committed.set()

    committer = Committer(commit)
    log.append("lease.end", ok=True, durable=False)
    assert log.anchored.sequence == 0
    committer.wake()
    assert committed.wait(10)
    assert log.anchored == log.end
    committer.close()
    log.close()


def test_what_a_commit_could_not_put_on_disk_stops_grants_until_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    record = Record(path, derive)
    record.open()
    log = record._log  # pyright: ignore[reportPrivateUsage] - the commit's own thread comes when it comes
    assert log is not None
    log.append("lease.end", ok=True, durable=False)
    monkeypatch.setattr(audit_module, "sync", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(AuditFailed):
        log.commit()
    monkeypatch.undo()
    with pytest.raises(AuditFailed, match="may be lost"):
        record.write("lease.grant", ok=True, durable=True)
    record.open()
    record.write("lease.grant", ok=True, durable=True)
    record.close()
    assert verify(path, derive).ok


def test_a_clock_that_was_set_back_is_told_and_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime, timedelta

    from locum.broker import audit_record

    class Yesterday(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # noqa: ARG003 - as it is called
            return datetime.now(UTC) - timedelta(days=1)

    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive)
    monkeypatch.setattr(audit_record, "datetime", Yesterday)
    writer.append("lease.use", ok=True, durable=True)
    writer.close()
    verdict = verify(path, derive)
    assert verdict.ok
    assert verdict.notes == ("record 2: the clock was set back by 86400 s",)


ON_A_SMALL_DISK = """
import sys
sys.path[:0] = [sys.argv[2] + "/server", sys.argv[2] + "/tests"]
from pathlib import Path
from unit.broker.test_audit import derive
from locum.broker.audit import AuditLog
from locum.broker.audit_files import AuditFailed
from locum.broker.audit_verify import verify
path = Path(sys.argv[1]) / "audit.jsonl"
if sys.argv[3] == "read-only":
    try:
        AuditLog(path, derive)
    except AuditFailed as error:
        print(error.message)
    sys.exit(0)
log, count = AuditLog(path, derive), 0
try:
    while True:
        log.append("lease.grant", ok=True, durable=True)
        count += 1
except AuditFailed as error:
    print(error.message)
log.close()
print(count > 10, verify(path, derive).ok, verify(path, derive).records == count + 1)
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare here to make a disk of its own with")
@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [("full", "size=128k", "No space left"), ("read-only", "ro", "Read-only file system")],
)
def test_a_full_and_a_read_only_disk_are_named_and_do_no_harm(
    tmp_path: Path, kind: str, options: str, says: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f'mount -t tmpfs -o {options} none "$1" || exit 77; exec "$2" -c "$3" "$1" "$4" {kind}'
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script, "sh", str(disk), sys.executable, ON_A_SMALL_DISK, str(ROOT)],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode in {1, 77} and "ermitted" in done.stderr:
        pytest.skip("no user namespaces here")
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    if kind == "full":
        assert "True True True" in done.stdout


def test_the_asker_is_told_as_the_kernel_tells_it_without_what_it_typed(tmp_path: Path) -> None:
    token = canary()
    path = tmp_path / "audit.jsonl"
    task = subprocess.Popen([sys.executable, "-c", "input()", token, f"--password={token[:9]}"], stdin=subprocess.PIPE)
    try:
        about = about_process(task.pid)
        record = Record(path, derive)
        record.open()
        record.write("lease.grant", ok=True, durable=True, pid=task.pid, argv=["curl", token, f"--token {token[:12]}"])
        record.close()
    finally:
        task.communicate(b"\n")
    assert about["program"] == os.path.realpath(sys.executable)
    text = path.read_text()
    assert token[:8] not in text
    process = json.loads(text.splitlines()[-1])["actor"]["process"]
    assert process["pid"] == task.pid
    assert process["file"]["path"] == os.path.realpath(sys.executable)
    assert "input()" in process["cmd_line"]
    assert about_process(task.pid) == {}
