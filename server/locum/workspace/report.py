"""A finding as JSON: the same object in every command, hook and result. Holds places and names, never a value.

`python -m locum.workspace.report` prints the schema that `schemas/finding.schema.json` publishes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from locum.detect.finding import Confidence, Finding, Severity, Suppressed
from locum.text.source import SourceText
from locum.workspace.agent_journal import Author
from locum.workspace.agent_notes import CLIENT, SESSION

Origin = Literal["editor", "agent", "disk", "history"]


def finding_json(
    finding: Finding, source: SourceText, path: str, origin: Origin = "disk", author: Author | None = None
) -> dict[str, Any]:
    """Return the JSON object of a finding in `source`; `path` is as the reader shall see it, with `/`.

    With an `author`, the agent's session that wrote it, its origin is that agent.
    """
    start, end = source.offset_of_byte(finding.start), source.offset_of_byte(finding.end)
    return {
        "fingerprint": finding.fingerprint,
        "rule": finding.rule,
        "title": finding.title,
        "path": path,
        "range": {"start": _position(source, start), "end": _position(source, end)},
        "bytes": list(source.stored_range(start, end)),
        "severity": finding.severity,
        "confidence": finding.confidence,
        "why": list(finding.why),
        "origin": origin if author is None else "agent",
        "secret_name": finding.secret_name,
        **({} if author is None else {"agent": author.to_json()}),
    }


def _position(source: SourceText, offset: int) -> dict[str, int]:
    line, character = source.position(offset, "utf-16")
    return {"line": line, "character": character}


def count_suppressed(suppressed: Iterable[Suppressed]) -> dict[str, int]:
    """Return how many findings each mechanism silenced, the busiest first."""
    counts = Counter(silenced.mechanism for silenced in suppressed)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def suppressed_line(counts: Mapping[str, int]) -> str:
    """Say the counts to people: "12 suppressed: 8 gitleaks:allow, 3 locum.toml, 1 noqa"; "" where nothing was silenced."""
    said = ", ".join(f"{count} {mechanism}" for mechanism, count in counts.items())
    return f"{sum(counts.values())} suppressed: {said}" if counts else ""


def finding_schema() -> dict[str, Any]:
    """Return the JSON Schema of `finding_json`."""
    count: dict[str, Any] = {"type": "integer", "minimum": 0}
    position = _object({"line": count, "character": count}, "A line from 0 and a column in UTF-16 units from 0.")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Locum finding",
        **_object(
            {
                "fingerprint": {
                    "type": "string", "pattern": "^[0-9a-f]{32}$",
                    "description": "Stable when lines move; holds no hash of a value that could be guessed.",
                },
                "rule": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "description": "See: locum explain RULE."},
                "title": {"type": "string", "minLength": 1},
                "path": {"type": "string", "description": "Relative to the working directory, with /."},
                "range": _object({"start": position, "end": position}, "Covers exactly the value."),
                "bytes": {
                    "type": "array", "items": count, "minItems": 2, "maxItems": 2,
                    "description": "The value's half-open byte range in the file as stored.",
                },
                "severity": {"enum": list(get_args(Severity))},
                "confidence": {"enum": list(get_args(Confidence))},
                "why": {"type": "array", "items": {"type": "string"}, "description": "Short reasons, for people."},
                "origin": {"enum": list(get_args(Origin))},
                "secret_name": {
                    "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
                    "description": "A name for it in a vault, valid as an environment variable.",
                },
            },
            "One plaintext secret. No field holds any part of it.",
            optional={
                "agent": _object(
                    {
                        "client": {"type": "string", "pattern": f"^{CLIENT.pattern}$"},
                        "session": {"type": "string", "pattern": f"^{SESSION.pattern}$"},
                        "at": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$"},
                    },
                    "The AI agent's session that wrote it, as its hooks noted, and when: where origin is agent.",
                )
            },
        ),
    }  # fmt: skip


def _object(properties: dict[str, Any], description: str, *, optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "properties": properties | (optional or {}),
        "required": list(properties),
        "additionalProperties": False,
    }


if __name__ == "__main__":
    print(json.dumps(finding_schema(), indent=2))  # noqa: T201 - this is what it is run for
