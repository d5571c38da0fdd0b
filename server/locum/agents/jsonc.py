"""Adding to somebody's JSON, and taking it out again, so that all the rest stays as it is: comments, order, layout, line ends.

What is added is spelt so that it shows whether the object or list around it was there before: one that was empty already gets
it right behind the bracket, one that is made for it has white space there. So taking out what was put in leaves the text as it
was, byte for byte, and needs no record. Pure; offsets are code points.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from locum.rewrite.idioms.json_reader import JsonProblem, Node, decode, member, read
from locum.rewrite.idioms.settings_text import JSON, space_before
from locum.text.edits import Edit, apply_edits

Way = tuple[str | int, ...]
"""Keys of objects and numbers in lists that lead from the top to a value."""

_REMARK = re.compile(r"[ \t]*(?://[^\r\n]*|/\*[^\r\n]*?\*/)")
"""A comment behind a value on the same line: it belongs to that value."""


def values(text: str, way: Way = ()) -> Any:
    """Return what stands at `way`; None when nothing is there. Raises JsonProblem."""
    node = _at(text, way) if text.strip() else None
    return None if node is None else _meaning(text, node)


def listed(text: str, way: Way) -> list[Any]:
    """Return the items of the list at `way`; none when there is no list. Raises JsonProblem."""
    there = values(text, way)
    return cast("list[Any]", there) if isinstance(there, list) else []


def put(text: str, way: Sequence[str], value: Any) -> str:
    """Return the text with a member added, and the objects that lead to it. It must not be there yet. Raises JsonProblem."""
    return _add(text, tuple(way[:-1]), way[-1], value)


def append(text: str, way: Sequence[str], item: Any) -> str:
    """Return the text with an item added to the list at `way`, which is made when there is none. Raises JsonProblem."""
    return _add(text, tuple(way), None, item)


def drop(text: str, way: Way) -> str:
    """Return the text without what stands at `way`, nor what was made for it; "" when that is all of it."""
    if not way:
        return ""
    holder = _need(text, way[:-1])
    index = _index(text, holder, way[-1])
    start = (holder.keys[index] if holder.keys else holder.items[index]).start
    end = holder.items[index].end
    if len(holder.items) == 1:
        around = text[holder.start + 1 : start] + text[end : holder.end - 1]
        if holder.start + 1 == start or around.strip() not in {"", ","}:
            return text[:start] + text[end:].removeprefix(",")
        return drop(text, way[:-1])
    comma = _skip(text, end)
    follows = text.startswith(",", comma)
    if index == 0:
        gap = re.compile(r"[ \t\r\n]*").match(text, comma + 1)
        close = gap.end() if gap and comma == end else comma + 1
        return apply_edits(text, [Edit(start, close, "")] if comma == end else _cut((start, end), (comma, comma + 1)))
    start -= len(space_before(text, start))
    if not follows:
        comma = _skip(text, holder.items[index - 1].end)
    return apply_edits(text, _cut((start, end), (comma, comma + 1)))


def strings(text: str) -> Iterator[str]:
    """Yield every string of the text that is no key, as it is spelt, without its quotes. Raises JsonProblem."""
    nodes = [read(text)] if text.strip() else []
    while nodes:
        node = nodes.pop()
        nodes += node.items
        if node.kind == "string":
            yield text[node.start + 1 : node.end - 1]


def _add(text: str, way: tuple[str, ...], key: str | None, value: Any) -> str:
    if not text.strip():
        newline, made = "\n", _nested(way, key, value)
        return json.dumps(made, indent=2, ensure_ascii=False) + newline
    node, depth = read(text), 0
    while depth < len(way) and node.kind == "object":
        pair = member(text, node, way[depth])
        if pair is None:
            return _insert(text, node, way[depth], _nested(way[depth + 1 :], key, value))
        node, depth = pair[1], depth + 1
    if depth < len(way) or node.kind != ("array" if key is None else "object"):
        raise JsonProblem(node.start)
    return _insert(text, node, key, value)


def _nested(way: Sequence[str], key: str | None, value: Any) -> Any:
    made: Any = [value] if key is None else {key: value}
    for name in reversed(way):
        made = {name: made}
    return made


def _insert(text: str, holder: Node, key: str | None, value: Any) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    line = text[text.rfind("\n", 0, holder.start) + 1 :]
    outer = line[: len(line) - len(line.lstrip(" \t"))]
    if not holder.items:
        return _at_offset(text, holder.start + 1, _spelt(key, value, outer, _unit(text), newline))
    last = holder.items[-1]
    gap = space_before(text, (holder.keys or holder.items)[0].start)
    if "\n" in gap:
        spelt = _spelt(key, value, gap[gap.rfind("\n") + 1 :], _unit(text), newline)
        gap = newline + gap[gap.rfind("\n") + 1 :]
    else:
        gap, spelt = " ", _compact(key, value)
    comma = _skip(text, last.end)
    trailing = text.startswith(",", comma)
    place = comma + 1 if trailing else last.end
    remark = _REMARK.match(text, place) if "\n" in gap else None
    there = remark.end() if remark else place
    if trailing:
        return _at_offset(text, there, f"{gap}{spelt},")
    if there == last.end:
        return _at_offset(text, there, f",{gap}{spelt}")
    return apply_edits(text, [Edit(last.end, last.end, ","), Edit(there, there, f"{gap}{spelt}")])


def _spelt(key: str | None, value: Any, indent: str, unit: str, newline: str) -> str:
    lines = json.dumps(value, indent=unit, ensure_ascii=False).split("\n")
    return _named(key, f"{newline}{indent}".join(lines))


def _compact(key: str | None, value: Any) -> str:
    """Spell on one line, with a space behind each bracket: `drop` sees by it that they were made."""

    def spell(part: Any) -> str:
        if isinstance(part, dict) and part:
            pairs: list[str] = [f"{JSON.quote(str(name))}: {spell(inner)}" for name, inner in part.items()]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON is untyped
            return f"{{ {', '.join(pairs)} }}"
        if isinstance(part, list) and part:
            return f"[ {', '.join(spell(inner) for inner in part)} ]"  # pyright: ignore[reportUnknownVariableType] - JSON is untyped
        return json.dumps(part, ensure_ascii=False)

    return _named(key, spell(value))


def _named(key: str | None, spelt: str) -> str:
    return spelt if key is None else f"{JSON.quote(key)}: {spelt}"


def _unit(text: str) -> str:
    """Return the white space by which the text indents."""
    found = re.search(r"\n([ \t]+)\S", text)
    return found[1] if found else "  "


def _at(text: str, way: Way) -> Node | None:
    node = read(text)
    for name in way:
        if isinstance(name, int):
            if node.kind != "array" or name >= len(node.items):
                return None
            node = node.items[name]
            continue
        pair = member(text, node, name) if node.kind == "object" else None
        if pair is None:
            return None
        node = pair[1]
    return node


def _need(text: str, way: Way) -> Node:
    node = _at(text, way)
    if node is None:
        raise JsonProblem(0)
    return node


def _index(text: str, holder: Node, name: str | int) -> int:
    if isinstance(name, int):
        return name
    return max(index for index, key in enumerate(holder.keys) if decode(text, key) == name)


def _meaning(text: str, node: Node) -> Any:
    if node.kind == "object":
        return {decode(text, key): _meaning(text, item) for key, item in zip(node.keys, node.items, strict=True)}
    if node.kind == "array":
        return [_meaning(text, item) for item in node.items]
    return json.loads(text[node.start : node.end], strict=False)


def _skip(text: str, offset: int) -> int:
    match = JSON.blank.match(text, offset)
    return match.end() if match else offset


def _cut(*spans: tuple[int, int]) -> list[Edit]:
    return [Edit(start, end, "") for start, end in spans]


def _at_offset(text: str, offset: int, new: str) -> str:
    return text[:offset] + new + text[offset:]
