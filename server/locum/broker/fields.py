"""`locum://NAME#field`: one field of a value that is a JSON object. Pure; values stay in `SecretBytes`."""

from __future__ import annotations

import json
from typing import Any, cast

from locum.errors import NotAllowed
from locum.secret import SecretBytes


def field_of(value: SecretBytes, field: str, reference: str) -> SecretBytes:
    """Return the field of a JSON object: `a`, or `a.b` for one inside of another (a key `a.b` itself comes first).

    Raises NotAllowed (`denied.field`) when the value is no object or has no such text, number or truth value. What the
    value does hold is not said: names of fields can be a part of it.
    """
    try:
        found: Any = json.loads(bytes(value.view()))
    except (ValueError, RecursionError):
        raise _no_field(reference, "the value is not JSON") from None
    if not isinstance(found, dict):
        raise _no_field(reference, "the value is no JSON object")
    for part in [field] if field in found else field.split("."):
        table = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        if part not in table:
            raise _no_field(reference, f"the value has no field {field}")
        found = table[part]
    if isinstance(found, str):
        return SecretBytes(found.encode("utf-8", "surrogatepass"))
    if isinstance(found, (bool, int, float)):
        return SecretBytes(json.dumps(found).encode())
    raise _no_field(reference, f"its field {field} is no text and no number")


def _no_field(reference: str, why: str) -> NotAllowed:
    return NotAllowed("denied.field", f"{reference}: {why}", "Nothing was started.")
