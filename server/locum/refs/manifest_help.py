"""What can be written at a place of `locum.toml`, and what stands there: from its schema, also while it is half written.

Text and a place in, words out. Offsets are code points.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, cast

from locum.refs.manifest import Place
from locum.refs.manifest_places import written
from locum.refs.manifest_schema import manifest_schema
from locum.text.toml_places import Written, inside

_HEADER = re.compile(r"^[ \t]*(\[\[?)[ \t]*([^\[\]#=\n]*)(\]\]?)?", re.MULTILINE)
_PAIR = re.compile(r"^[ \t]*([A-Za-z0-9_.\"'-]+)[ \t]*=[ \t]*", re.MULTILINE)
_COMMENT_OR_STRING = re.compile(r"#[^\n]*|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_STARTED_HEADER = re.compile(r"[ \t]*\[\[?[^\]\n]*$")
_STARTED_KEY = re.compile(r"[ \t]*([A-Za-z0-9_.-]*)$")
_STARTED_WORD = re.compile(r"[A-Za-z0-9_.:/+-]*$")
_REST = re.compile(r"[A-Za-z0-9_.:/+-]*")
_NAMES = re.compile(r"\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+")
_TTLS = ("5m", "15m", "30m", "1h", "8h")
_SOURCES = (
    ("local", "Your local vault"),
    ("op://", "1Password: op://vault/item/field"),
    ("ref+vault://", "HashiCorp Vault or OpenBao, in the grammar of vals"),
    ("ref+awssecrets://", "AWS Secrets Manager, in the grammar of vals"),
    ("ref+awsssm://", "AWS Parameter Store, in the grammar of vals"),
    ("keyring://", "The system's keyring: keyring://service/user"),
    ("pass://", "pass: pass://path"),
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """Text for `[start, end)`."""

    label: str
    start: int
    end: int
    new_text: str
    kind: Literal["table", "key", "value", "name"]
    detail: str = ""


def meaning_of(place: Place) -> str:
    """Return what the schema says of a key or a table, "" when it says nothing."""
    return str(_node(place).get("description", ""))


def at(text: str, offset: int) -> Written | None:
    """Return the innermost name or value that is written at `offset`."""
    found = [item for item in written(text) if item.start <= offset <= item.end]
    return min(found, key=lambda item: (item.end - item.start, item.role != "value"), default=None)


def proposals(text: str, offset: int, names: Mapping[str, str]) -> list[Proposal]:
    """Return what can be written at `offset`; `names` are the secrets that are declared, with what they are."""
    line = text.rfind("\n", 0, offset) + 1
    before = text[line:offset]
    if _STARTED_HEADER.match(before) and _open_value(text, line) is None:
        return list(_tables(text, line, offset, names))
    value = _open_value(text, offset)
    if value is not None:
        return list(_values(text, offset, *value, names))
    started = _STARTED_KEY.match(before)
    if started is None:
        return []
    table = _table_at(text, line)
    if not table:
        return list(_tables(text, line, offset, names))
    start, end = line + started.start(1), _end_of_word(text, offset)
    level = len(table)
    there = {item.place[level] for item in written(text) if item.place[:level] == table and len(item.place) > level}
    return [
        Proposal(key, start, end, f"{key} ={_opening(node)}", "key", str(node.get("description", "")))
        for key, node in _properties(_node(table)).items()
        if key not in there or text[start:end] == key
        if _opening(node)
    ]  # fmt: skip


# -- where it is -----------------------------------------------------------------------------------------------


def _table_at(text: str, offset: int) -> Place:
    """Return the table that a line at `offset` belongs to."""
    header = _last(_HEADER.finditer(text, 0, offset))
    if header is None:
        return ()
    names = tuple(name.strip("\"'") for name in _NAMES.findall(header[2]))
    return (*names, 0) if header[1] == "[[" else names


def _open_value(text: str, offset: int) -> tuple[Place, bool] | None:
    """Return the place of the value that `offset` stands in, and whether it is one of a list; None: in none."""
    header = _last(match for match in _HEADER.finditer(text, 0, offset) if match[3])
    pair = _last(_PAIR.finditer(text, header.end() if header is not None else 0, offset))
    if pair is None:
        return None
    value = _COMMENT_OR_STRING.sub(lambda match: "." * len(match[0]), text[pair.end() : offset])
    opened = value.count("[") + value.count("{") > value.count("]") + value.count("}")
    if not opened and ("\n" in value or re.match(r"\.{2,}\s", value)):  # behind a value that is whole
        return None
    names = tuple(name.strip("\"'") for name in _NAMES.findall(pair[1]))
    place = (*_table_at(text, pair.start()), *names)
    if value.lstrip().startswith("{") and opened:
        key = re.search(r"[{,]\s*([A-Za-z0-9_-]+)\s*=\s*[^,]*$", value)
        return ((*place, key[1]), False) if key is not None else None
    return place, value.lstrip().startswith("[") and opened


def _last(matches: Iterable[re.Match[str]]) -> re.Match[str] | None:
    found = None
    for match in matches:
        found = match
    return found


# -- what can be there -----------------------------------------------------------------------------------------


def _tables(text: str, line: int, offset: int, names: Iterable[str]) -> Iterator[Proposal]:
    """Propose headers, for the whole line's header."""
    header = _HEADER.match(text, line)
    end = max(offset, header.end() if header is not None else _end_of_word(text, offset))
    start = line + len(text[line:offset]) - len(text[line:offset].lstrip())
    known = {item.place for item in written(text) if item.role == "header"}
    shown = [
        ("[project]", "[project]", _node(("project",))),
        ("[secrets.NAME]", "[secrets.", _node(("secrets", "NAME"))),
        ("[tasks.NAME]", "[tasks.", _node(("tasks", "NAME"))),
        ("[scan]", "[scan]", _node(("scan",))),
        ("[[scan.allow]]", "[[scan.allow]]", _node(("scan", "allow", 0))),
        ("[[scan.rule]]", "[[scan.rule]]", _node(("scan", "rule", 0))),
    ]
    for label, new, node in shown:
        if not (new.startswith("[") and new.endswith("]") and not new.startswith("[[") and (new.strip("[]"),) in known):
            yield Proposal(label, start, end, new, "table", str(node.get("description", "")))
    for name in names:
        if ("secrets", name, "env") not in known:
            new = f'[secrets."{name}".env]' if "." in name else f"[secrets.{name}.env]"
            yield Proposal(new, start, end, new, "table", meaning_of(("secrets", name, "env")))


def _values(text: str, offset: int, place: Place, listed: bool, names: Mapping[str, str]) -> Iterator[Proposal]:
    start, end, left, right = _string(text, offset)
    shape = tuple(part if index in {0, 2} else "*" for index, part in enumerate(place))
    if shape[:3] == ("tasks", "*", "secrets"):
        if len(place) == 3 and listed:
            for name, detail in names.items():
                yield Proposal(name, start, end, left + name + right, "name", detail)
        elif len(place) == 4:
            for name, detail in names.items():
                yield Proposal(f"locum://{name}", start, end, f"{left}locum://{name}{right}", "name", detail)
    elif shape[:1] == ("secrets",) and shape[2:3] in {("source",), ("env",)}:
        for word, detail in _SOURCES:  # one that goes on is left open
            yield Proposal(word, start, end, left + word + ("" if word.endswith("://") else right), "value", detail)
    elif place[-1:] in {("ttl",), ("max_ttl",)}:
        for word in _TTLS:
            yield Proposal(
                word, start, end, left + word + right, "value", "Minutes or hours that a lease lives, at most a day"
            )
    else:
        for word in cast("list[str]", _node(place).get("enum", ())):
            yield Proposal(word, start, end, left + word + right, "value", meaning_of(place))


def _string(text: str, offset: int) -> tuple[int, int, str, str]:
    """Return the words at `offset` that a proposal replaces, and the quotes that it must bring."""
    started = _STARTED_WORD.search(text, max(text.rfind("\n", 0, offset) + 1, offset - 200), offset)
    start = started.start() if started is not None else offset
    end = _end_of_word(text, offset)
    quote = text[start - 1 : start]
    if quote not in {'"', "'"} or start == 0:
        return start, end, '"', '"'
    return start, end, "", "" if text.startswith(quote, end) else quote


def _end_of_word(text: str, offset: int) -> int:
    match = _REST.match(text, offset)
    return match.end() if match is not None else offset


def _opening(node: Mapping[str, Any]) -> str:
    """Return how a key's value begins, after the equals sign; "" for what has a header of its own."""
    kind = node.get("type")
    shapes = [node, *node.get("anyOf", ())]
    if any(one.get("type") == "array" and "properties" not in one.get("items", {}) for one in shapes):
        return " ["
    if kind in {"object", "array"}:
        return ""
    return " "


# -- the schema --------------------------------------------------------------------------------------------------


@cache
def _schema() -> dict[str, Any]:
    return manifest_schema()


def _node(place: Place) -> dict[str, Any]:
    """Return what the schema says of a place, {} for what it does not know."""
    node = _schema()
    for part in place:
        if isinstance(part, int):
            node = cast("dict[str, Any]", node.get("items", {}))
        else:
            others: list[Any] = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
            other = next((cast("dict[str, Any]", one) for one in others if isinstance(one, dict)), dict[str, Any]())
            node = _properties(node).get(part, other)
    return node


def _properties(node: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return cast("dict[str, dict[str, Any]]", node.get("properties", {}))


def words_at(text: str, item: Written) -> str:
    """Return what a written name or value says, without its quotes."""
    start, end = inside(text, item.start, item.end)
    return text[start:end]
