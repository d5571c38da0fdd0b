"""What a manifest declares, as an outline: its tables, from header to header. Plain data, offsets in code points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from locum.refs.manifest_places import written
from locum.text.toml_places import Written, inside

Kind = Literal["secret", "task", "table"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A table at `[start, end)`, and its name within."""

    name: str
    kind: Kind
    start: int
    end: int
    name_start: int
    name_end: int
    detail: str


def outline(text: str) -> list[Entry]:
    """Return the secrets, tasks and other tables of a manifest, in the order of the text; each under its first name."""
    names = written(text)
    headers = [item for item in names if item.role == "header"]
    lines = sorted({text.rfind("\n", 0, item.start) + 1 for item in headers})
    seen: set[tuple[object, ...]] = set()
    found: list[Entry] = []
    for item in names:
        if item.place in seen or item.role == "value" or not _is_listed(item, headers):
            continue
        seen.add(item.place)
        start = text.rfind("\n", 0, item.start) + 1
        end = next((line for line in lines if line > item.start), len(text)) if item.role == "header" else item.end
        place = inside(text, item.start, item.end)
        kind: Kind = _KINDS.get(str(item.place[0]), "table") if len(item.place) == 2 else "table"
        detail = kind if kind != "table" else ""
        name = str(item.place[1]) if len(item.place) == 2 else str(item.place[0])
        found.append(Entry(name or "?", kind, start, max(end, place[1]), *place, detail))
    return found


_KINDS: dict[str, Kind] = {"secrets": "secret", "tasks": "task"}


def _is_listed(item: Written, headers: list[Written]) -> bool:
    if len(item.place) == 2:
        return item.place[0] in _KINDS
    return len(item.place) == 1 and item.place[0] in {"project", "scan"} and item in headers
