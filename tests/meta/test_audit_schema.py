"""The published schema of an audit record is the one that the code gives."""

from __future__ import annotations

import json
from pathlib import Path

from locum.broker.audit_schema import audit_schema

PUBLISHED = Path(__file__).resolve().parents[2] / "schemas" / "audit-event.schema.json"


def test_published() -> None:
    assert json.loads(PUBLISHED.read_text("utf-8")) == audit_schema(), (
        "run: python -m locum.broker.audit_schema > schemas/audit-event.schema.json"
    )
