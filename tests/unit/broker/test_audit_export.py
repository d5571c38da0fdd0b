"""The record in other formats, and the record of hostile texts: nothing runs in a spreadsheet, nothing acts on a terminal."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.broker.audit import AuditLog, read_records
from locum.broker.audit_formats import CSV_COLUMNS, csv_row, otel_request, to_ocsf
from locum.broker.audit_record import make_body
from locum.cli.audit_against import compare
from locum.cli.audit_show import Choice, Wanted, line, moment_of
from locum.errors import UsageProblem
from unit.broker.test_audit import derive
from unit.broker.test_audit_fields import KNOWN

TEXT = {"type": "string"}
WHOLE = {"type": "integer"}


def needs(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


API_ACTIVITY = needs(
    activity_id={"enum": [0, 1, 2, 3, 4, 99]}, category_uid={"const": 6}, class_uid={"const": 6003}, severity_id={"enum": [1, 2]},
    type_uid=WHOLE, time=WHOLE, status_id={"enum": [1, 2]},
    metadata=needs(version={"pattern": r"^1\.[3-9]\."}, product=needs(name=TEXT, vendor_name=TEXT), uid=TEXT, sequence=WHOLE),
    actor=needs(process=needs(pid=WHOLE), user=needs(uid=TEXT)), api=needs(operation=TEXT), src_endpoint=needs(ip=TEXT),
    resources={"type": "array", "items": needs(name=TEXT, type=TEXT)}, unmapped={"type": "object"},
)  # fmt: skip
"""What OCSF 1.3 requires of an API Activity (schema.ocsf.io/1.3.0/classes/api_activity), and what we add."""


def record(operation: str = "lease.grant", ok: bool = True, **fields: Any) -> dict[str, Any]:
    return make_body(operation, ok, 7, "0" * 64, KNOWN | fields) | {"hash": "a" * 64, "mac": "b" * 64}


def test_an_ocsf_event_is_one() -> None:
    event = to_ocsf(record())
    jsonschema.validate(event, API_ACTIVITY)
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["actor"]["process"]["file"] == {"name": "make", "path": "/usr/bin/make", "type_id": 1}
    assert event["metadata"]["correlation_uid"] == "ls_1"
    assert event["unmapped"]["hash"] == "a" * 64


def test_an_otel_request_is_one_line_with_the_names_of_the_conventions() -> None:
    text = "".join(otel_request([record(), record(ok=False)], "here"))
    assert text.count("\n") == 1
    (resource,) = json.loads(text)["resourceLogs"]
    one, other = resource["scopeLogs"][0]["logRecords"]
    said = {item["key"]: item["value"] for item in one["attributes"]}
    assert said["event.name"] == {"stringValue": "lease.grant"}
    assert said["session.id"] == {"stringValue": "ls_1"}
    assert said["process.pid"] == {"intValue": "4"}
    assert said["enduser.id"] == {"stringValue": "1000"}
    assert (one["severityText"], other["severityText"]) == ("INFO", "WARN")
    assert json.loads(one["body"]["stringValue"]) == record() | {
        key: json.loads(one["body"]["stringValue"])[key] for key in ("time", "time_dt", "metadata", "unmapped")
    }


@settings(deadline=None)
@given(
    text=st.sampled_from(["=", "+", "-", "@", "\t", "\r", "\uff1d", " =", "\n="]).flatmap(
        lambda start: st.text().map(start.__add__)
    )
)
def test_no_cell_is_a_formula_or_breaks_its_row(text: str) -> None:
    row = csv_row(record(task=text, reason=text, requester=text, approved_by=text, resources=[text], argv=[text]))
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(row)
    assert stream.getvalue().count("\n") == 1
    assert len(row) == len(CSV_COLUMNS)
    for cell in row:
        assert not cell.startswith(("=", "+", "@", "\t", "\r", "\uff1d"))
        assert not cell.startswith("-") or cell.lstrip("-").isdigit()


@settings(deadline=None)
@given(text=st.text())
def test_a_hostile_text_is_one_harmless_line(text: str) -> None:
    shown = line(record(task=text, reason=text + "\x1b[2J\u202e", resources=["\r\n" + text]))
    assert shown.isprintable()
    assert "\u202e" not in shown


def test_lines_fit_a_terminal_and_mark_what_failed() -> None:
    shown = line(record(ok=False, requester="python3.11, process 4711, inside an AI agent (CLAUDECODE)"), width=80)
    assert all(len(part) <= 80 for part in shown.splitlines())
    assert shown[20] == "!"
    assert "inside an AI agent" in " ".join(shown.split())


def about(name: str) -> Wanted:
    return Wanted(secret=name)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(task="test"), ["lease.grant", "lease.use", "lease.end"]),
        (about("API_KEY"), ["lease.grant", "lease.use", "lease.end"]),
        (about("OTHER"), ["secret.store"]),
        (Wanted(lease="ls_a"), ["lease.grant", "lease.use", "lease.end"]),
        (Wanted(operation="lease.*"), ["lease.grant", "lease.use", "lease.end", "lease.deny"]),
        (Wanted(failed=True), ["lease.deny"]),
        (Wanted(task="test", operation="*.end"), ["lease.end"]),
        (Wanted(since=1 << 50), []),
    ],
)
def test_records_are_chosen(wanted: Wanted, found: list[str]) -> None:
    made = [
        make_body("secret.store", True, 1, "", {"resources": ["OTHER"]}),
        make_body(
            "lease.grant",
            True,
            2,
            "",
            {"resources": ["KEY"], "references": ["locum://API_KEY"], "task": "test", "lease": "ls_a1"},
        ),
        make_body("lease.use", True, 3, "", {"lease": "ls_a1"}),
        make_body("lease.end", True, 4, "", {"lease": "ls_a1"}),
        make_body("lease.deny", False, 5, "", {"task": "deploy", "lease": "ls_b2"}),
    ]
    choice = Choice(wanted)
    assert [item["api"]["operation"] for item in made if choice.takes(item)] == found


def test_times_are_understood() -> None:
    assert moment_of("2026-11-26T10:00Z") == 1_795_687_200_000
    assert moment_of("1h") > moment_of("2h")
    for wrong in ("", "yesterday", "2026-99-99", "9" * 30 + "s", "1000000w"):
        with pytest.raises(UsageProblem):
            moment_of(wrong)


def test_a_copy_shows_what_the_log_has_lost(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    writer = AuditLog(path, derive)
    for _ in range(5):
        writer.append("lease.use", ok=True, durable=False)
    writer.close()
    lines = path.read_bytes().splitlines(keepends=True)
    otel = "".join(otel_request(read_records(path), "here")).encode()
    assert compare(read_records(path), lines).ok
    assert compare(read_records(path), [otel]).copied == 6
    shorter = [json.loads(text) for text in lines[:4]]
    for copy in (lines, [otel], lines[5:]):
        found = compare(shorter, copy)
        assert not found.ok
        assert found.first_bad == (6 if copy == lines[5:] else 5)
    changed = [*lines[:3], lines[3].replace(b"lease.use", b"lease.end"), *lines[4:]]
    assert compare(read_records(path), changed).first_bad == 4
