"""The published schema of a line of the audit log, made of the tables that the line is made of.

python -m locum.broker.audit_schema > schemas/audit-event.schema.json
"""

from __future__ import annotations

import json
from typing import Any

from locum.broker.audit_record import ACTIVITY, CLASS, CUT, LISTS, NUMBERS, OTHER, TEXT_SIZE, TEXTS

_KINDS = [*sorted(set(ACTIVITY.values())), OTHER]
_TEXT = {"$ref": "#/$defs/text"}
_NUMBER = {"$ref": "#/$defs/number"}
_DIGEST = {"$ref": "#/$defs/digest"}


def audit_schema() -> dict[str, Any]:
    """Return the JSON Schema of one record as it stands in the file."""
    unmapped: dict[str, Any] = {name: _TEXT | {"description": about} for name, about in TEXTS.items()}
    unmapped["segment"] = {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": TEXTS["segment"]}
    unmapped |= {name: _NUMBER | {"description": about} for name, about in NUMBERS.items()}
    unmapped |= {
        name: {"type": "array", "items": {"type": "string"}, "description": about} for name, (_, about) in LISTS.items()
    }
    process = {
        "pid": _NUMBER,
        "created_time": _NUMBER | {"description": "When it started, milliseconds since 1970."},
        "file": _object({"path": _TEXT}),
        "cmd_line": _TEXT | {"description": "What looks like a secret is taken out."},
    }
    product = _object({"name": {"const": "Locum"}, "version": {"type": "string"}})
    metadata = {
        "product": product, "version": {"type": "string", "description": "Of OCSF."},
        "sequence": {"type": "integer", "minimum": 1}, "uid": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "correlation_uid": _TEXT | {"description": "The lease's id."},
    }  # fmt: skip
    user = _object({"uid": {"type": "string", "pattern": "^-?[0-9]+$"}})
    record = {
        "category_uid": {"const": CLASS // 1000},
        "class_uid": {"const": CLASS},
        "activity_id": {"enum": _KINDS, "description": "Create, read, update, delete, other."},
        "type_uid": {"enum": [CLASS * 100 + kind for kind in _KINDS]},
        "severity_id": {"enum": [1, 2]},
        "time": {"type": "integer", "minimum": 0, "description": "Milliseconds since 1970, UTC."},
        "time_dt": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$"},
        "actor": _object({"process": _object(process, ["pid"]), "user": user}),
        "api": _object({"operation": {"type": "string", "pattern": r"^[a-z]+\.[a-z]+(-[a-z]+)*$"}}),
        "resources": {"type": "array", "items": _object({"type": {"const": "secret"}, "name": _TEXT})},
        "status_id": {"enum": [1, 2], "description": "1 done, 2 failed or refused."},
        "status_detail": _TEXT,
        "metadata": _object(metadata),
        "unmapped": _object(unmapped, []),
        "prev": _DIGEST,
        "hash": _DIGEST,
        "mac": _DIGEST,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Locum audit record",
        "description": "One line of audit.jsonl. Field names are those of OCSF's API Activity class. "
        "No field holds a value, its length or a hash of it.",
        "$defs": {
            "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "text": {"type": "string", "maxLength": TEXT_SIZE + len(CUT)},
            "number": {"type": "integer", "exclusiveMinimum": -(1 << 53), "exclusiveMaximum": 1 << 53},
        },
        **_object(record),
    }


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    names = list(properties) if required is None else required
    return {"type": "object", "additionalProperties": False, "required": names, "properties": properties}


if __name__ == "__main__":
    print(json.dumps(audit_schema(), indent=2, ensure_ascii=False))  # noqa: T201 - this is its output
