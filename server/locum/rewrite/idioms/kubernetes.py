"""Kubernetes manifests: which values of a Secret stand in base64. Kubernetes expands nothing in them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

from locum.rewrite.idioms.json_reader import Node, decode, member
from locum.rewrite.target import NoSafeEdit

_FIELD = r"(?=[\s\S]*^[ ]*(?:-[ ]+)?[\"']?{}[\"']?:)"
MANIFEST = rf"(?m)\A{_FIELD.format('apiVersion')}{_FIELD.format('kind')}"
"""Matches in every manifest, also in a list of them."""
_KIND = re.compile(r"(?m)^(?P<lead>[ ]*(?:-[ ]+)?)kind:[ \t]*[\"']?Secret[\"']?[ \t]*(?:#.*)?\r?$")
_LINE = re.compile(r"(?m)^(?P<space>[ ]*)(?P<item>-[ ]+)?(?P<rest>[^\r\n]*)\r?$")
_DATA = re.compile(r"[\"']?data[\"']?:(?=\s|\Z)")


def yaml_data(text: str) -> Iterator[tuple[int, int]]:
    """Yield the span of everything below `data:` of each Secret in a YAML text."""
    if "Secret" not in text:
        return
    lines = list(_LINE.finditer(text))
    number = {line.start(): at for at, line in enumerate(lines)}
    done: dict[int, int] = {}
    for match in _KIND.finditer(text):
        here = number[match.start()]
        depth = len(match["lead"])
        if here < done.get(depth, 0):
            continue  # another kind in the same mapping
        first = here
        while first and not lines[first]["item"] and _inside(lines[first - 1], depth):
            first -= 1
        if first and not lines[first]["item"] and _column(lines[first - 1]) == depth and lines[first - 1]["item"]:
            first -= 1  # the line that begins this item of a list
        last = here + 1
        while last < len(lines) and _inside(lines[last], depth):
            last += 1
        done[depth] = last
        yield from _below_data(lines[first:last], depth)


def _column(line: re.Match[str]) -> int:
    return len(line["space"]) + len(line["item"] or "")


def _inside(line: re.Match[str], depth: int) -> bool:
    """Say whether a line belongs to the mapping whose keys stand at `depth`."""
    if not line["rest"].strip() or line["rest"].startswith("#"):
        return True
    return len(line["space"]) >= depth and not re.match(r"(?:---|\.\.\.)(?:\s|\Z)", line["rest"])


def _below_data(lines: Sequence[re.Match[str]], depth: int) -> Iterator[tuple[int, int]]:
    start = -1
    for line in lines:
        own = _column(line) == depth and line["rest"].strip() and not line["rest"].startswith("#")
        if start >= 0 and own:
            yield start, line.start()
            start = -1
        if own and (key := _DATA.match(line["rest"])):
            start = line.start("rest") + key.end()
    if start >= 0:
        yield start, lines[-1].end()


def in_json_data(text: str, nodes: Sequence[Node], keys: Sequence[str | int]) -> bool:
    """Say whether the way `keys` leads through `nodes` (the root first) to a value in the `data` of a Secret."""
    if len(keys) < 2 or keys[-2] != "data":
        return False
    kind = member(text, nodes[-3], "kind")
    return kind is not None and kind[1].kind == "string" and decode(text, kind[1]) == "Secret"


def decoded(spelt: str) -> bytes:
    """Return what a value of `data` stands for. Raises NoSafeEdit when it is no base64."""
    try:
        return base64.b64decode("".join(spelt.split()), validate=True)
    except (binascii.Error, ValueError):  # the error may quote the text
        raise NoSafeEdit(
            "the value stands in the data of a Secret and is no base64: write it into stringData"
        ) from None


def encoded(value: bytes) -> str:
    """Return the spelling of a value for `data`."""
    return base64.b64encode(value).decode("ascii")
