"""The few parts of JSON Schema that our tools use, to write them down and to check arguments by them. Pure.

Errors name the argument and what it must be, never what it was: an agent may have put a value there.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, cast

from locum.errors import UsageProblem

Schema = dict[str, Any]

MAX_ARGUMENTS = 64 * 1024
"""Characters of all arguments of one call together, as JSON."""
_HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
_KINDS: dict[str, tuple[type, str]] = {
    "string": (str, "a text"), "integer": (int, "a whole number"), "boolean": (bool, "true or false"),
    "array": (list, "a list"), "object": (dict, "an object"),
}  # fmt: skip


def text(description: str, **more: Any) -> Schema:
    """Return the schema of a text."""
    return {"type": "string", "description": description, **more}


def number(description: str, least: int, most: int) -> Schema:
    """Return the schema of a whole number."""
    return {"type": "integer", "description": description, "minimum": least, "maximum": most}


def truth(description: str) -> Schema:
    """Return the schema of a truth value."""
    return {"type": "boolean", "description": description}


def listing(items: Schema, description: str, most: int) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, "description": description, "maxItems": most}


def table(properties: Mapping[str, Schema], required: tuple[str, ...] | None = None) -> Schema:
    """Return the schema of an object that has these and nothing else. Without `required` it has them all."""
    needs = list(properties) if required is None else list(required)
    return {"type": "object", "properties": dict(properties), "required": needs, "additionalProperties": False}


def check(schema: Schema, arguments: Any) -> dict[str, Any]:
    """Return a tool's arguments. Raises UsageProblem (`mcp.arguments`)."""
    found: Any = {} if arguments is None else arguments
    if len(json.dumps(found)) > MAX_ARGUMENTS:
        raise _bad("the arguments", f"at most {MAX_ARGUMENTS} characters together")
    _check(schema, found, "the arguments")
    return cast("dict[str, Any]", found)


def _check(schema: Schema, found: Any, where: str) -> None:
    kind, words = _KINDS[schema["type"]]
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise _bad(where, words)
    if isinstance(found, str):
        _check_text(schema, found, where)
    elif isinstance(found, int) and not isinstance(found, bool):
        if not schema["minimum"] <= found <= schema["maximum"]:
            raise _bad(where, f"from {schema['minimum']} to {schema['maximum']}")
    elif isinstance(found, list):
        items = cast("list[Any]", found)
        if not schema.get("minItems", 0) <= len(items) <= schema["maxItems"]:
            raise _bad(where, f"a list of {schema.get('minItems', 0)} to {schema['maxItems']}")
        for at, item in enumerate(items):
            _check(schema["items"], item, f"{where}[{at}]")
    elif isinstance(found, dict):
        _check_entries(schema, cast("dict[str, Any]", found))


def _check_entries(schema: Schema, entries: dict[str, Any]) -> None:
    for name in schema["required"]:
        if name not in entries:
            raise _bad(name, "given")
    for name, value in entries.items():
        if name not in schema["properties"]:
            raise UsageProblem(
                "mcp.arguments", "there is an argument that this tool does not have",
                f"It has: {', '.join(schema['properties']) or 'none'}. No tool takes a secret's value.",
            )  # fmt: skip
        _check(schema["properties"][name], value, name)


def _check_text(schema: Schema, found: str, where: str) -> None:
    if len(found) > schema.get("maxLength", 1024):
        raise _bad(where, f"at most {schema.get('maxLength', 1024)} characters")
    lines = "\n\t" if "contentMediaType" in schema else ""
    if any(unicodedata.category(char) in _HIDDEN and char not in lines for char in found):
        raise _bad(where, "free of control characters and of characters that nobody sees")
    if "enum" in schema and found not in schema["enum"]:
        raise _bad(where, f"one of {', '.join(schema['enum'])}")
    if "pattern" in schema and re.fullmatch(schema["pattern"].strip("^$"), found) is None:
        raise _bad(where, f"of the form {schema['pattern']}")


def _bad(where: str, must: str) -> UsageProblem:
    return UsageProblem("mcp.arguments", f"{where} must be {must}")
