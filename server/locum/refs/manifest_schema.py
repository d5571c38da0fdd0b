"""The JSON Schema of `locum.toml`, for editors that complete and check TOML. Says what `manifest.py` reads, no more.

`python -m locum.refs.manifest_schema` prints it; `schemas/manifest.schema.json` is that output, and a test fails on drift.
"""

from __future__ import annotations

import json
from typing import Any

from locum.refs.manifest import CHANNELS
from locum.refs.own_rule import MAX_ENTROPY, MAX_GROUP, MAX_ID

_TEXT = {"type": "string"}
_NAME = "^[A-Za-z_][A-Za-z0-9_.-]{0,127}$"
_REFERENCE = {"type": "string", "pattern": r"^(locum|op|keyring|pass)://.|^ref\+[a-z][a-z0-9]+://."}
_SOURCE = {
    "description": "Where the value is: local, or a native reference such as op://vault/item/field",
    "anyOf": [{"const": "local"}, {"type": "string", "pattern": r"^(op|keyring|pass)://.|^ref\+[a-z][a-z0-9]+://."}],
}
_FINGERPRINT = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_ALLOWANCE = {
    "type": "object",
    "description": "Findings that somebody accepts, and why",
    "additionalProperties": False,
    "properties": {
        "rule": _TEXT | {"description": "A rule's id, as findings give it"},
        "path": _TEXT | {"description": "A gitignore pattern; /a.py is that file alone"},
        "fingerprint": _FINGERPRINT | {"description": "A finding's fingerprint"},
        "value": _FINGERPRINT
        | {"description": "The keyed fingerprint of a value, never the value: the editor writes it"},
        "reason": {"type": "string", "minLength": 1, "description": "Why this is no secret, or accepted"},
        "expires": {"description": "A date without quotes; after that day these are findings again"},
    },
    "required": ["reason"],
    "anyOf": [{"required": [name]} for name in ("rule", "path", "fingerprint", "value")],
}
_TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1}}
_DURATION = {"type": "string", "pattern": r"^\s*\d{1,6}\s*[smhd]\s*$"}
_RULE = {
    "type": "object",
    "description": "A rule of this project's own",
    "additionalProperties": False,
    "properties": {
        "id": {
            "type": "string", "maxLength": MAX_ID, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
            "description": "Findings name the rule own-ID",
        },
        "regex": {"type": "string", "minLength": 1, "description": "In Go's syntax; runs in RE2 (pip install locum[re2])"},
        "title": _TEXT | {"description": "What it finds, in a few words"},
        "keywords": _TEXTS | {"description": "One of these stands near every match: three characters or more"},
        "secret_group": {
            "type": "integer", "minimum": 0, "maximum": MAX_GROUP,
            "description": "The group that is the secret; without one: the first that matched, else all",
        },
        "entropy": {"type": "number", "minimum": 0, "maximum": MAX_ENTROPY, "description": "The least, in bits"},
        "severity": {"enum": ["error", "warning", "information", "hint"], "description": "The most that it is worth"},
        "confidence": {"enum": ["certain", "high", "medium", "low"], "description": "medium, unless said"},
        "explanation": _TEXT | {"description": "What to do when it is found"},
        "description": _TEXT | {"description": "As explanation"},
        "path": _TEXT | {"description": "A gitignore pattern: only there"},
    },
    "required": ["id", "regex"],
}  # fmt: skip


def manifest_schema() -> dict[str, Any]:
    """Return the schema as JSON-ready data."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "locum.toml",
        "description": "Which secrets a project needs and which tasks may use them. Holds no value.",
        **_table(
            project=_table(id=_TEXT | {"description": "Identity across clones and worktrees"})
            | {"description": "What this project is"},
            secrets=_named(
                _table(
                    description=_TEXT | {"description": "What it is, in a few words"},
                    source=_SOURCE,
                    docs=_TEXT | {"description": "The page where it is made and rotated"},
                    env={
                        "type": "object",
                        "additionalProperties": _SOURCE,
                        "description": "Where the value is in one environment: locum://NAME?env=prod",
                    },
                    hosts=_TEXTS | {"description": "Where the value may go with --channel proxy: api.example.com"},
                    production={"type": "boolean", "description": "Whether a person is asked each time"},
                )
                | {"description": "A secret that this project needs; locum://NAME stands for its value"}
            )
            | {"description": "Which secrets this project needs, one table each"},
            tasks={
                "type": "object",
                "additionalProperties": _table(
                    command={
                        "type": "array",
                        "items": {"type": "string", "minLength": 1},
                        "description": "The program and its arguments, one text each; no shell reads them",
                    },
                    secrets={
                        "description": "Names that the task gets as variables, or a table of variables and references",
                        "anyOf": [
                            {"type": "array", "items": {"type": "string", "pattern": _NAME}},
                            {"type": "object", "additionalProperties": _REFERENCE},
                        ],
                    },
                    ttl=_DURATION | {"description": "How long the task may have its secrets: for example 90s, 15m, 2h"},
                    max_ttl=_DURATION | {"description": "Up to when the time is renewed while the task runs"},
                    channel={"enum": list(CHANNELS), "description": "How the task gets its values; env, unless said"},
                    **{
                        "pass": {
                            "type": "array",
                            "items": {"type": "string", "pattern": r"^[A-Za-z_][A-Za-z0-9_]*\*?$"},
                            "description": "Variables of your environment that it needs: NODE_ENV, APP_*",
                        }
                    },
                )
                | {"description": "A task that may ask for secrets: locum run --task NAME"},
                "description": "The tasks that may ask for secrets, one table each",
            },
            scan=_table(
                exclude=_TEXTS | {"description": "Gitignore patterns of files that scans leave out"},
                allow={"type": "array", "items": _ALLOWANCE},
                rule={"type": "array", "items": _RULE},
                rules=_TEXTS | {"description": "Files of gitleaks' form, inside the project"},
            )
            | {"description": "What scans leave out, allow and look for besides the built-in rules"},
        ),
    }


def _table(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _named(entry: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "patternProperties": {_NAME: entry}, "additionalProperties": False}


if __name__ == "__main__":
    print(json.dumps(manifest_schema(), indent=2))  # noqa: T201 - this is its output
