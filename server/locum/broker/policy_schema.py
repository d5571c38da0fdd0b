"""The published schema of `policy.toml`, the user's and the administrator's, made of the classes that it is read into.

python -m locum.broker.policy_schema > schemas/policy.schema.json
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from locum.broker.policy import MAX_STANDING, Deny, Rules, Standing
from locum.refs.manifest import CHANNELS

_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_TIME: dict[str, Any] = {
    "description": "Seconds, or a text such as 90s, 15m, 12h, 7d; at most 30 days.",
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_STANDING},
        {"type": "string", "pattern": r"^\s*[0-9]{1,6}\s*[smhd]\s*$"},
    ],
}
_RULES: dict[str, dict[str, Any]] = {
    "deny": {"description": "What is forbidden; what one table says holds together."},
    "always_ask": _TEXTS | {"description": "Patterns of references for which no yes stands."},
    "production": _TEXTS | {"description": "Patterns of names that are production secrets."},
    "max_ttl": _TIME,
    "max_standing": _TIME,
    "channels": {
        "type": "array", "items": {"enum": list(CHANNELS)}, "description": "The channels that may be used; all without it.",
    },
    "level": {"enum": ["L0", "L1", "L2"], "description": "The lowest level at which anything is granted."},
}  # fmt: skip
_DENY: dict[str, dict[str, Any]] = {
    "channel": {"type": "string", "description": "A pattern of channels."},
    "asker": {"enum": ["agent"], "description": "Only what is asked from inside an AI agent."},
    "reason": {"type": "string", "description": "Shown to people."},
}


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file as TOML gives it."""
    properties = {item.name: _RULES[item.name] for item in fields(Rules)}
    deny = {item.name: _DENY.get(item.name, _TEXT | {"description": "A pattern (*, ?, […])."}) for item in fields(Deny)}
    some = {"anyOf": [{"required": [name]} for name in deny if name != "reason"]}
    properties["deny"] = properties["deny"] | {"type": "array", "items": _table(deny) | some}
    standing: dict[str, Any] = {
        item.name: _TEXTS
        if item.name == "references"
        else {"type": "integer"}
        if item.name in {"made", "expires"}
        else _TEXT
        for item in fields(Standing)
    }
    properties["standing"] = {
        "type": "array", "items": _table(standing),
        "description": "Yeses that stand. Made by `locum policy allow`, in the user's file only; none is taken from an editor.",
    }  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Locum's policy",
        **_table(properties),
    }


def _table(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


if __name__ == "__main__":
    print(json.dumps(policy_schema(), indent=2, ensure_ascii=False))  # noqa: T201 - this is its output
