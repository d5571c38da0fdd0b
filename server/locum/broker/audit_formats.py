"""The record in other people's formats: OCSF events, OpenTelemetry log records, rows for a spreadsheet. Pure.

OCSF: API Activity (class_uid 6003), schema.ocsf.io/1.3.0/classes/api_activity. OpenTelemetry: the JSON encoding of OTLP
(opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding": 64-bit numbers are texts).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from typing import Any, cast

from locum import __version__
from locum.broker.audit_record import CLASS, OCSF, OTHER, canonical, operation_of, part, sequence_of
from locum.broker.question import visible

_ACTIVITIES = {1: "Create", 2: "Read", 3: "Update", 4: "Delete", OTHER: "Other"}
_INFO, _WARN = 9, 13  # SeverityNumber, opentelemetry.io/docs/specs/otel/logs/data-model

CSV_COLUMNS = (
    "sequence", "time", "operation", "ok", "detail", "secrets", "references", "task", "command", "cwd", "lease", "ttl_s",
    "exit_code", "level", "approved_by", "requester", "pid", "program", "uid", "boot_id", "hash",
)  # fmt: skip
"""The columns of the table. New ones are added at the end."""


def texts_of(record: dict[str, Any], name: str) -> list[str]:
    """Return a list of texts of `unmapped`, of a record that nobody vouches for."""
    value: Any = part(record, "unmapped").get(name)
    return [str(item) for item in cast("list[Any]", value)] if isinstance(value, list) else []


def names_of(record: dict[str, Any]) -> list[str]:
    """Return the names of the secrets that a record is about."""
    resources: Any = record.get("resources")
    listed = cast("list[Any]", resources) if isinstance(resources, list) else []
    return [str(cast("dict[str, Any]", item).get("name", "")) for item in listed if isinstance(item, dict)]


def to_ocsf(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as an OCSF event: what OCSF has no name for is in `unmapped`, the chain with it."""
    ok = record.get("status_id") == 1
    activity = record.get("activity_id")
    name = _ACTIVITIES.get(activity if isinstance(activity, int) else OTHER, "Other")
    process = dict(part(part(record, "actor"), "process"))
    path = part(process, "file").get("path")
    if isinstance(path, str):
        process["file"] = {"name": path.rpartition("/")[2], "path": path, "type_id": 1}
        process["name"] = process["file"]["name"]
    more = part(record, "unmapped")
    chain = {key: record[key] for key in ("prev", "hash", "mac") if key in record}
    metadata = part(record, "metadata")
    return {
        "activity_id": activity, "activity_name": name, "category_uid": CLASS // 1000,
        "category_name": "Application Activity", "class_uid": CLASS, "class_name": "API Activity",
        "type_uid": record.get("type_uid"), "type_name": f"API Activity: {name}",
        "severity_id": record.get("severity_id"), "severity": "Informational" if ok else "Low",
        "time": record.get("time"), "timezone_offset": 0,
        "status_id": record.get("status_id"), "status": "Success" if ok else "Failure",
        "status_detail": record.get("status_detail", ""),
        "message": f"{operation_of(record)} {', '.join(names_of(record))}".strip(),
        "actor": {**part(record, "actor"), "process": process, "app_name": "locum"},
        "api": {**part(record, "api"), "service": {"name": "locum broker"}},
        "src_endpoint": {"name": "this machine", "ip": "127.0.0.1"},
        "resources": record.get("resources", []),
        "metadata": {
            **metadata, "version": OCSF, "log_name": "audit.jsonl", "event_code": operation_of(record),
            "product": {**part(metadata, "product"), "vendor_name": "Locum"},
        },
        "unmapped": {**more, **chain},
    }  # fmt: skip


def to_otel(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as an OpenTelemetry log record. Its body is the very line, so that a copy can be checked."""
    ok = record.get("status_id") == 1
    moment = f"{record.get('time', 0)}000000"
    more, actor = part(record, "unmapped"), part(record, "actor")
    process = part(actor, "process")
    attributes: dict[str, Any] = {
        "event.name": operation_of(record),
        "session.id": more.get("lease"),
        "enduser.id": part(actor, "user").get("uid"),
        "process.pid": process.get("pid"),
        "process.executable.path": part(process, "file").get("path"),
        "process.command_line": process.get("cmd_line"),
        "locum.sequence": sequence_of(record),
        "locum.hash": record.get("hash"),
        "locum.ok": ok,
        "locum.detail": record.get("status_detail"),
        "locum.secrets": names_of(record),
        "locum.references": texts_of(record, "references"),
        "locum.task": more.get("task"),
        "locum.level": more.get("level"),
    }
    return {
        "timeUnixNano": moment,
        "observedTimeUnixNano": moment,
        "severityNumber": _INFO if ok else _WARN,
        "severityText": "INFO" if ok else "WARN",
        "eventName": operation_of(record),
        "body": {"stringValue": canonical(record).decode("ascii")},
        "attributes": [_attribute(name, value) for name, value in attributes.items() if value not in (None, "", [])],
    }


def otel_request(records: Iterable[dict[str, Any]], host: str) -> Iterable[str]:
    """Yield the parts of one export request, which is one line of JSON, for records of any number."""
    about = {"service.name": "locum", "service.version": __version__, "host.name": host}
    resource = {"attributes": [_attribute(name, value) for name, value in about.items()]}
    yield f'{{"resourceLogs":[{{"resource":{json.dumps(resource)},"scopeLogs":[{{"scope":{{"name":"locum.audit"}},"logRecords":['
    for number, record in enumerate(records):
        yield ("," if number else "") + json.dumps(to_otel(record), separators=(",", ":"))
    yield "]}]}]}\n"


def csv_row(record: dict[str, Any]) -> list[str]:
    """Return the cells of a record for a spreadsheet, in the order of CSV_COLUMNS. No cell is a formula."""
    more, actor = part(record, "unmapped"), part(record, "actor")
    process = part(actor, "process")
    cells: dict[str, Any] = {
        "sequence": sequence_of(record),
        "time": record.get("time_dt"),
        "operation": operation_of(record),
        "ok": "yes" if record.get("status_id") == 1 else "no",
        "detail": record.get("status_detail"),
        "secrets": " ".join(names_of(record)),
        "references": " ".join(texts_of(record, "references")),
        "command": " ".join(texts_of(record, "argv")),
        "pid": process.get("pid"),
        "program": part(process, "file").get("path"),
        "uid": part(actor, "user").get("uid"),
        "hash": record.get("hash"),
    }
    return [_cell(cells.get(name, more.get(name))) for name in CSV_COLUMNS]


def _cell(value: Any) -> str:
    """Return a cell: a number as it is, a text made harmless."""
    if value is None:
        return ""
    if type(value) is int:
        return str(value)
    text = visible(str(value))
    start = unicodedata.normalize(
        "NFKC", text.lstrip()[:1]
    )  # a full-width sign counts as well, and so it does after blanks
    return f"'{text}" if start in {"=", "+", "-", "@", "\t", "\r"} else text


def _attribute(key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "value": _any_value(value)}


def _any_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(item) for item in cast("list[Any]", value)]}}
    return {"stringValue": str(value)}
