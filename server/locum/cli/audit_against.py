"""Compares the record with a copy that is kept elsewhere: only that shows a record that was deleted with all its anchors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from locum.broker.audit_record import canonical, chain, parse, sequence_of


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a copy says of the record. `first_bad` is the number of the first record that does not fit."""

    ok: bool
    copied: int
    """Records in the copy."""
    first_bad: int | None = None
    reason: str = ""


def compare(records: Iterable[dict[str, Any]], copy: Iterable[bytes]) -> Comparison:
    """Look for every record of the copy in the log. The copy: lines as `export` writes them (raw), or OTLP requests."""
    copied: dict[int, str] = {}
    for record in copied_records(copy):
        number, digest = sequence_of(record), record.get("hash")
        if not number or not isinstance(digest, str):
            continue
        if _digest(record) != digest:
            return Comparison(False, len(copied), number, f"record {number} of the copy was changed")
        if copied.setdefault(number, digest) != digest:
            return Comparison(False, len(copied), number, f"the copy has two records {number}: the log was begun anew")
    found = {sequence_of(record): str(record.get("hash")) for record in records}
    for number in sorted(copied):
        if number not in found:
            last = max(found, default=0)
            why = f"records are missing: the copy has {max(copied)}, the log has {last}"
            return Comparison(False, len(copied), number, why)
        if found[number] != copied[number]:
            return Comparison(False, len(copied), number, f"record {number} is another one than was copied")
    return Comparison(True, len(copied))


def copied_records(copy: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the records of a copy; what is none is left out."""
    for line in copy:
        record = parse(line if line.endswith(b"\n") else line + b"\n")
        if record is None:
            continue
        if "resourceLogs" not in record:
            yield record
            continue
        for text in _bodies(record):
            inner = parse(text.encode() + b"\n")
            if inner is not None:
                yield inner


def _bodies(request: dict[str, Any]) -> Iterator[str]:
    for resource in _listed(request, "resourceLogs"):
        for scope in _listed(resource, "scopeLogs"):
            for entry in _listed(scope, "logRecords"):
                body: Any = entry.get("body")
                text = cast("dict[str, Any]", body).get("stringValue") if isinstance(body, dict) else None
                if isinstance(text, str):
                    yield text


def _listed(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found: Any = value.get(name)
    items = cast("list[Any]", found) if isinstance(found, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def _digest(record: dict[str, Any]) -> str:
    body = {name: value for name, value in record.items() if name not in {"hash", "mac"}}
    try:
        return chain(str(record.get("prev")), canonical(body))
    except (ValueError, RecursionError):
        return ""
