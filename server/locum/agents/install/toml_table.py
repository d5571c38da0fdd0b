"""A table of ours at the end of somebody's TOML: put in, renewed, taken out again; all the rest stays as it is. Pure.

Found by its name, not by marks around it: a client that writes its own settings back may put a table between marks.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any, cast

from locum.agents.blocks import JOINED
from locum.errors import UsageProblem
from locum.text.toml_places import TomlPlaces


def with_table(text: str, name: Sequence[str], pairs: Sequence[tuple[str, str]], file: str) -> str:
    """Return the text with the table `name` at its end, `pairs` of keys and spelt values in it; the same text when it has those
    already. Raises UsageProblem for what is no TOML, and where such a table cannot be added."""
    newline = "\r\n" if "\r\n" in text else "\n"
    there = _table(_parsed(text, file), name)
    body = [f"{key} = {value}" for key, value in pairs]
    wanted = tomllib.loads("\n".join(body))
    if there is not None and all(there.get(key) == value for key, value in wanted.items()):
        return text
    text = without_table(text, name, file)
    joined = bool(text) and not text.endswith("\n")
    header = f"[{'.'.join(name)}]{f'  #{JOINED}' if joined else ''}"
    made = text + newline * (bool(text) + joined) + newline.join([header, *body, ""])
    if _table(_loaded(made), name) != wanted:
        raise UsageProblem(
            "agent.settings",
            f"{file} keeps '{name[0]}' in a form to which no table can be added; nothing was written",
            f"Write it as [{name[0]}.NAME] tables, then run this again.",
        )
    return made


def without_table(text: str, name: Sequence[str], file: str) -> str:
    """Return the text without the table `name` and what belongs to it; the same text when it has none in a form of its own."""
    _parsed(text, file)
    while (span := _written(text, tuple(name))) is not None:
        before, after = text[: span[0]], text[span[1] :]
        if not after and JOINED in text[span[0] : span[1]].split("\n", maxsplit=1)[0]:
            before = re.sub(r"(?:\r?\n){1,2}\Z", "", before)
        elif before.endswith(("\n\n", "\n\r\n")):
            before = re.sub(r"\r?\n\Z", "", before)
        if _loaded(before + after) is None:
            return text
        text = before + after
    return text


def _written(text: str, name: tuple[str, ...]) -> tuple[int, int] | None:
    """Return the lines of the last table of that name, from its header to its last value: what stands behind is not its own."""
    places = TomlPlaces(text)
    headers = {start: place for place, (start, _) in places.keys.items() if text.startswith("[", start)}
    ours = [start for start, place in headers.items() if place[: len(name)] == name]
    if not ours:
        return None
    start = max(ours)
    stop = min((other for other in headers if other > start), default=len(text))
    end = max((last for first, last in places.values.values() if start < first < stop), default=start)
    line = text.find("\n", end)
    return text.rfind("\n", 0, start) + 1, len(text) if line < 0 else line + 1


def _parsed(text: str, file: str) -> dict[str, Any]:
    loaded = _loaded(text)
    if loaded is None:
        raise UsageProblem("agent.settings", f"{file} is no TOML; nothing was written", "Mend it, then run this again.")
    return loaded


def _loaded(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError):  # the error may quote the text
        return None


def _table(loaded: dict[str, Any] | None, name: Sequence[str]) -> dict[str, Any] | None:
    found: Any = loaded
    for part in name:
        found = cast("dict[str, Any]", found).get(part) if isinstance(found, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None
