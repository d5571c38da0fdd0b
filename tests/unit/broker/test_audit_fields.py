"""What gets into a record: listed fields in their types, bounded; never a value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locum.broker.audit import AuditLog, read_records
from locum.broker.audit_verify import verify
from locum.secret import SecretBytes
from support.home import ROOT, canary
from unit.broker.test_audit import derive


def test_only_known_fields_get_in(tmp_path: Path) -> None:
    value = canary()
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive)
    writer.append(
        "lease.use",
        ok=True,
        durable=True,
        value=value,
        password=value,
        argv=SecretBytes(value.encode()),
        ttl_s=value,
        resources=[value.encode()],
    )
    writer.close()
    assert value not in path.read_text()


KNOWN: dict[str, Any] = {
    "pid": 4, "uid": 1000, "resources": ["A"], "references": ["locum://A"], "task": "test", "argv": ["make"], "cwd": "/x", "lease": "ls_1",
    "requester": "bash", "level": "L0", "reason": "refused", "exit_code": 3, "ttl_s": 60, "approved_by": "terminal",
    "tried": 3, "refused": 1, "processes": 2, "created_time": 1_700_000_000_000, "program": "/usr/bin/make", "cmd_line": "make all",
}  # fmt: skip


def schema() -> dict[str, Any]:
    return json.loads((ROOT / "schemas" / "audit-event.schema.json").read_text())


def test_every_known_field_gets_in(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive)
    writer.append("lease.grant", ok=True, durable=True, **KNOWN)
    *_, record = read_records(path)
    process = {"pid": 4, "created_time": 1_700_000_000_000, "file": {"path": "/usr/bin/make"}, "cmd_line": "make all"}
    assert record["actor"] == {"process": process, "user": {"uid": "1000"}}
    assert record["resources"] == [{"type": "secret", "name": "A"}]
    assert record["status_detail"] == "refused"
    assert record["metadata"]["correlation_uid"] == "ls_1"
    elsewhere = {"pid", "uid", "resources", "reason", "created_time", "program", "cmd_line"}
    known = {name: value for name, value in KNOWN.items() if name not in elsewhere}
    assert {name: value for name, value in record["unmapped"].items() if name in known} == known
    assert set(record["unmapped"]) - set(known) == {"boot_id", "uptime_ms"}
    jsonschema.validate(record, schema())


def test_a_segment_and_a_recovery_are_what_the_schema_says(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(path, derive).close()
    path.write_bytes(path.read_bytes() + b"half")
    AuditLog(path, derive).close()
    for record in read_records(path):
        jsonschema.validate(record, schema())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just("x" * 3_000_000),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(fields=st.dictionaries(st.sampled_from([*KNOWN, "value"]), anything))
def test_whatever_is_passed_the_chain_holds(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Also a segment after it: the longest record is short enough to be found from the end."""
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive)
    writer.append("lease.request", ok=False, durable=True, **fields)
    writer.close()
    assert verify(path, derive).ok
    *_, record = read_records(path)
    jsonschema.validate(record, schema())


def test_the_longest_record_fits(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive)
    long = {name: "\U0001f511" * 100_000 if isinstance(value, str) else value for name, value in KNOWN.items()}
    lists = {name: ["\U0001f511" * 2000] * 100 for name in ("argv", "references", "resources")}
    writer.append("lease.request", ok=True, durable=True, **(long | lists))
    writer.close()
    AuditLog(path, derive).close()
    assert verify(path, derive).ok
