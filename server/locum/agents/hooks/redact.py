"""References in the place of secrets, in a text or in JSON. Pure: what is found and how it is called is given.

A value that the vault has becomes its reference, so that a text which is written back keeps a working one. Any other
becomes a mark that no file may hold (`judge` stops it): writing it back would lose the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from locum.agents.hooks.looking import Found
from locum.refs.reference import locum_reference

MARK = "<locum:redacted "
"""How a mark begins; its reason and `>` follow."""
_DEEPEST = 32

Named = Callable[[str], str]
"""From a value to the name under which the vault has it, "" for none."""


def redacted(text: str, found: Sequence[Found], named: Named) -> str:
    """Return the text with a reference or a mark for each secret."""
    stand_ins: list[str] = []
    for secret in found:
        name = named(text[secret.start : secret.end])
        stand_ins.append(locum_reference(name) if name else f"{MARK}{secret.rule}>")
    return _replaced(text, found, stand_ins)


def with_names(text: str, found: Sequence[Found], names: Sequence[str]) -> str:
    """Return the text with references to names that the secrets are to have."""
    return _replaced(text, found, [locum_reference(name) for name in names])


def _replaced(text: str, found: Sequence[Found], stand_ins: Sequence[str]) -> str:
    parts: list[str] = []
    position = 0
    for secret, stand_in in sorted(zip(found, stand_ins, strict=True), key=lambda pair: pair[0].start):
        parts += [text[position : secret.start], stand_in]
        position = secret.end
    return "".join([*parts, text[position:]])


def redacted_json(value: Any, redact: Callable[[str], str], depth: int = 0) -> Any:
    """Return the JSON value with `redact` applied to each text in it, names of fields too. Raises RecursionError."""
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redacted_json(item, redact, depth + 1) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {
            redact(key): redacted_json(item, redact, depth + 1) for key, item in cast("dict[str, Any]", value).items()
        }
    return value
