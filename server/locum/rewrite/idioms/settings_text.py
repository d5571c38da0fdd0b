"""A part of a settings text as a tree with places, the same for JSON and TOML, and how each of them spells what is added.

Offsets are code points. Knows nothing of secrets and of what the settings mean.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from locum.rewrite.idioms.json_reader import JsonProblem, Node, decode, read
from locum.text.edits import Edit
from locum.text.toml_places import Place, Span, TomlPlaces

_JSON_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_TOML_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Value:
    """One value and its span, quotes and brackets included. A TOML table has the span of its header, or of its first key."""

    kind: Literal["object", "array", "string", "other"]
    start: int
    end: int
    members: tuple[Member, ...] = ()
    text: str = ""
    """What a string means."""

    def get(self, *names: str) -> Member | None:
        """Return the member of one of these names; the last one counts, as for every reader."""
        found = [member for member in self.members if member.name in names]
        return found[-1] if found else None

    def leaves(self, way: Place = ()) -> Iterator[tuple[Place, Value]]:
        """Yield every string in it, with the way to it."""
        if self.kind == "string":
            yield way, self
        for member in self.members:
            yield from member.value.leaves((*way, member.name))

    def holds(self, start: int, end: int) -> bool:
        """Say whether `[start, end)` lies inside of its brackets or quotes."""
        return self.start < start <= end < self.end


@dataclass(frozen=True, slots=True)
class Member:
    """A value with its key, or its number in a list."""

    name: str | int
    key: Span
    value: Value

    @property
    def span(self) -> Span:
        """Where it stands, from the key to the end of the value."""
        return self.key[0], self.value.end


class Syntax:
    """How a format spells things. This one is JSON, with comments."""

    blank = _JSON_BLANK

    def quote(self, text: str) -> str:
        """Spell a string."""
        return json.dumps(text, ensure_ascii=False)

    def pair(self, name: str, value: str) -> str:
        """Spell a member; `value` is spelt already."""
        return f"{self.quote(name)}: {value}"

    def items(self, values: Sequence[str]) -> str:
        """Spell a list of strings."""
        return f"[{', '.join(map(self.quote, values))}]"

    def table(self, name: str, value: str) -> str:
        """Spell an object with one member; `value` is spelt already."""
        return f"{{{self.pair(name, value)}}}"

    def reads(self, text: str) -> bool:
        """Say whether a whole text is one of this format."""
        try:
            read(text)
        except JsonProblem:
            return False
        return True

    def decode(self, raw: str) -> str:
        """Return what a string means that is spelt with its quotes. Raises ValueError, which holds the text."""
        return str(json.loads(raw, strict=False))

    def is_inline(self, text: str, value: Value) -> bool:
        """Say whether an object stands between braces."""
        return text.startswith("{", value.start)

    def prefix(self, text: str, member: Member) -> str | None:  # noqa: ARG002 - TOML looks
        """Return what stands before the key on its line (an indent, the names of tables), None inside of braces."""
        return None

    def add_after(self, text: str, member: Member, pairs: Sequence[tuple[str, str]]) -> Edit:
        """Put members after another one of the same object."""
        gap = space_before(text, member.key[0]) or " "
        return _insert(member.value.end, "".join(f",{gap}{self.pair(*pair)}" for pair in pairs))

    def add_into(self, text: str, value: Value, name: str, spelt: str) -> Edit:
        """Put a member into an object, as its first."""
        if not value.members:
            return _insert(value.start + 1, self.pair(name, spelt))
        at = value.members[0].key[0]
        return _insert(at, f"{self.pair(name, spelt)},{space_before(text, at) or ' '}")

    def replace(self, text: str, member: Member, pairs: Sequence[tuple[str, str]]) -> Edit:
        """Put members in the place of one."""
        gap = space_before(text, member.key[0]) or " "
        return Edit(*member.span, f",{gap}".join(self.pair(*pair) for pair in pairs))

    def replace_or_drop(self, text: str, holder: Value, member: Member, pairs: Sequence[tuple[str, str]]) -> list[Edit]:
        """Put members, perhaps none, in the place of one."""
        return [self.replace(text, member, pairs)] if pairs else self.drop(text, holder, member)

    def drop(self, text: str, holder: Value, member: Member) -> list[Edit]:
        """Take a member of an object, or an item of a list, out. Comments stay."""
        start, end = member.span
        after = self._skip(text, end)
        if text.startswith(",", after):
            space = re.compile(r"[ \t]*(?:\r?\n[ \t]*)?").match(text, after + 1)
            close = space.end() if space and after == end else after + 1
            return [Edit(start, close, "")] if after == end else [Edit(start, end, ""), Edit(after, close, "")]
        number = holder.members.index(member)
        if not number:
            return [Edit(start, end, "")]
        comma = self._skip(text, holder.members[number - 1].value.end)
        space = space_before(text, start)
        if comma + 1 + len(space) == start:
            return [Edit(comma, end, "")]
        return [Edit(comma, comma + 1, ""), Edit(start, end, "")]

    def _skip(self, text: str, offset: int) -> int:
        match = self.blank.match(text, offset)
        return match.end() if match else offset


class _Toml(Syntax):
    blank = _TOML_BLANK

    def quote(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")  # its basic strings take JSON's escapes

    def pair(self, name: str, value: str) -> str:
        return f"{name if _BARE.fullmatch(name) else self.quote(name)} = {value}"

    def table(self, name: str, value: str) -> str:
        return f"{{ {self.pair(name, value)} }}"

    def reads(self, text: str) -> bool:
        try:
            tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))
        except ValueError:
            return False
        return True

    def decode(self, raw: str) -> str:
        return str(tomllib.loads(f"k = {raw}")["k"])

    def add_after(self, text: str, member: Member, pairs: Sequence[tuple[str, str]]) -> Edit:
        prefix = self.prefix(text, member)
        if prefix is None:
            return super().add_after(text, member, pairs)
        end = _line_end(text, member.value.end)
        newline = "\r\n" if "\r\n" in text else "\n"
        return _insert(end, "".join(f"{newline}{prefix}{self.pair(*pair)}" for pair in pairs))

    def add_into(self, text: str, value: Value, name: str, spelt: str) -> Edit:
        if self.is_inline(text, value):
            if value.members:
                return super().add_into(text, value, name, spelt)
            return Edit(value.start, value.end, self.table(name, spelt))
        if text.startswith("[", value.start):
            newline = "\r\n" if "\r\n" in text else "\n"
            return _insert(_line_end(text, value.end), f"{newline}{self.pair(name, spelt)}")
        return self.add_after(text, value.members[0], [(name, spelt)])

    def replace(self, text: str, member: Member, pairs: Sequence[tuple[str, str]]) -> Edit:
        prefix = self.prefix(text, member)
        if prefix is None:
            return super().replace(text, member, pairs)
        newline = "\r\n" if "\r\n" in text else "\n"
        return Edit(*member.span, f"{newline}{prefix}".join(self.pair(*pair) for pair in pairs))

    def drop(self, text: str, holder: Value, member: Member) -> list[Edit]:
        if isinstance(member.name, int):
            return super().drop(text, holder, member)
        if member.value.kind == "object" and not self.is_inline(text, member.value):
            edits = [edit for inner in member.value.members for edit in self.drop(text, member.value, inner)]
            if text.startswith("[", member.value.start):
                edits.append(_without_line(text, member.value.start, member.value.end))
            return edits
        prefix = self.prefix(text, member)
        if prefix is None:
            return super().drop(text, holder, member)
        return [_without_line(text, member.key[0] - len(prefix), member.value.end)]

    def prefix(self, text: str, member: Member) -> str | None:
        start = max(text.rfind("\n", 0, member.key[0]), text.rfind("\r", 0, member.key[0])) + 1
        before = text[start : member.key[0]]
        return before if re.fullmatch(r"""[ \t]*(?:[\w."' \t-]+\.[ \t]*)?""", before) else None


JSON = Syntax()
TOML = _Toml()


def from_json(text: str, node: Node) -> Value:
    """Return the tree under a node. Raises JsonProblem."""
    if node.kind in {"object", "array"}:
        keys = node.keys or node.items
        names = [decode(text, key) for key in node.keys] or range(len(node.items))
        members = tuple(
            Member(name, (key.start, key.end) if node.keys else (item.start, item.start), from_json(text, item))
            for name, key, item in zip(names, keys, node.items, strict=True)
        )
        return Value(node.kind, node.start, node.end, members)
    return Value(node.kind, node.start, node.end, text=decode(text, node) if node.kind == "string" else "")


def from_toml(text: str) -> tuple[Value, list[Span]]:
    """Return the tree of a text, and where its comments stand. Raises ValueError for what is no TOML."""
    tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    places = TomlPlaces(" " + text[1:] if text.startswith("\ufeff") else text)
    children: dict[Place, dict[Place, None]] = {}
    for place in sorted({*places.keys, *places.values}, key=lambda at: places.keys.get(at) or places.values[at]):
        for depth in range(1, len(place) + 1):
            children.setdefault(place[: depth - 1], {})[place[:depth]] = None
    return _toml_value(text, (), places, children), places.comments


def _toml_value(text: str, place: Place, places: TomlPlaces, children: dict[Place, dict[Place, None]]) -> Value:
    members = tuple(
        Member(at[-1], _toml_key(at, places), _toml_value(text, at, places, children)) for at in children.get(place, {})
    )
    if place not in places.values:
        start, end = places.keys.get(place, (0, 0))
        kind = "array" if members and isinstance(members[0].name, int) else "object"
        return Value(kind, start, end, members)
    start, end = places.values[place]
    first = text[start : start + 1]
    if first in {'"', "'"}:
        return Value("string", start, end, text=TOML.decode(text[start:end]))
    return Value("array" if first == "[" else "object" if first == "{" else "other", start, end, members)


def _toml_key(place: Place, places: TomlPlaces) -> Span:
    start = places.values.get(place, (0, 0))[0]
    return (start, start) if isinstance(place[-1], int) else places.keys.get(place, (start, start))


def space_before(text: str, offset: int) -> str:
    """Return the white space right before an offset, so that what is added looks like what is there."""
    start = offset
    while start and text[start - 1] in " \t\r\n":
        start -= 1
    return text[start:offset]


def split_string(syntax: Syntax, text: str, value: Value, start: int, end: int) -> tuple[str, str, str] | None:
    """Return what a string means before, in and after `[start, end)`; None where an escape would be cut."""
    quote = text[value.start]
    if text.startswith(quote * 3, value.start) and value.end - value.start >= 6:
        return None
    try:
        left, middle, right = (
            syntax.decode(f"{quote}{text[first:last]}{quote}")
            for first, last in ((value.start + 1, start), (start, end), (end, value.end - 1))
        )
    except (ValueError, JsonProblem):
        return None
    return (left, middle, right) if left + middle + right == value.text else None


def _insert(offset: int, text: str) -> Edit:
    return Edit(offset, offset, text)


def _line_end(text: str, offset: int) -> int:
    match = re.compile(r"[^\r\n]*").match(text, offset)
    return match.end() if match else offset


def _without_line(text: str, start: int, end: int) -> Edit:
    """Take `[start, end)` out, and its line when nothing else stands there."""
    begin = start - len(text[:start]) + len(text[:start].rstrip(" \t"))
    if begin and text[begin - 1] not in "\r\n":
        return Edit(start, end, "")
    close = re.compile(r"[ \t]*(?:\r\n|\n|\r|\Z)").match(text, end)
    if close is not None:
        return Edit(begin, close.end(), "")
    rest = re.compile(r"[ \t]*").match(text, end)
    return Edit(start, rest.end() if rest else end, "")
