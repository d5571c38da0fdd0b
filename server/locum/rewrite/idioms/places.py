"""Where the values and comments of a configuration file lie, by its kind (`languages.py`). The door to the scanners."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from locum.rewrite.idioms import dotenv, json_reader, yaml_scanner
from locum.rewrite.idioms.json_reader import Node
from locum.rewrite.idioms.kubernetes import in_json_data, yaml_data
from locum.rewrite.idioms.line_formats import FORMATS, line_places, netrc_places, pgpass_places
from locum.rewrite.idioms.place import Place
from locum.rewrite.idioms.xml_scanner import xml_places

BASE64 = "base64 "
"""Before the style of a place whose value stands in base64."""


def _dotenv(text: str) -> Iterator[Place]:
    for entry in dotenv.entries(text):
        margin = len(entry.quote)
        style = {"": "env", "'": "env-single", '"': "env-double"}.get(entry.quote, "env-backtick")
        yield Place(style, entry.start, entry.end, entry.key, (entry.start - margin, entry.end + margin))


def _json(text: str) -> Iterator[Place]:
    for comment in json_reader.comments(text):
        yield Place("comment", *comment)
    root = json_reader.read(text)
    yield from _below(text, [root], [])


def _below(text: str, nodes: Sequence[Node], keys: Sequence[str | int]) -> Iterator[Place]:
    node = nodes[-1]
    if node.kind == "string":
        style = f"{BASE64}json" if in_json_data(text, nodes, keys) else "json"
        yield Place(style, node.start + 1, node.end - 1, "/".join(map(str, keys)), (node.start, node.end))
    for index, item in enumerate(node.items):
        key = json_reader.decode(text, node.keys[index]) if node.kind == "object" else index
        yield from _below(text, [*nodes, item], [*keys, key])


def _yaml(text: str) -> Iterator[Place]:
    encoded = sorted(yaml_data(text))
    last: yaml_scanner.Piece | None = None
    for piece in yaml_scanner.pieces(text):
        if piece.kind == "comment":
            yield Place("comment", piece.start, piece.end)
            continue
        margin = 1 if piece.kind in {"single", "double"} else 0
        style = "yaml-flow" if piece.kind == "plain" and piece.flow else f"yaml-{piece.kind}"
        if last is not None and yaml_scanner.goes_on(text, last):
            style = "yaml-lines"
        elif (at := bisect_right(encoded, (piece.start, len(text)))) and piece.start < encoded[at - 1][1]:
            style = BASE64 + style
        if not piece.is_key:
            yield Place(style, piece.start + margin, piece.end - margin, "", (piece.start, piece.end))
        last = piece


# TOML 1.0, "String" and "Comment".
_TOML = re.compile(
    r"(?P<comment>#[^\r\n]*)"
    r'|"""(?:\r?\n)?(?P<basic_lines>(?:\\.|[^\\])*?)"""(?!")'
    r"|'''(?:\r?\n)?(?P<literal_lines>.*?)'''(?!')"
    r'|"(?P<basic>(?:\\.|[^"\\\r\n])*)"'
    r"|'(?P<literal>[^'\r\n]*)'",
    re.DOTALL,
)


def _toml(text: str) -> Iterator[Place]:
    for match in _TOML.finditer(text):
        group = match.lastgroup or "comment"
        if group == "comment":
            yield Place("comment", *match.span())
        else:
            yield Place(f"toml-{group.replace('_', '-')}", *match.span(group), "", match.span())


_READERS: dict[str, Callable[[str], Iterator[Place]]] = {
    "dotenv": _dotenv,
    "json": _json,
    "netrc": netrc_places,
    "pgpass": pgpass_places,
    "toml": _toml,
    "xml": xml_places,
    "yaml": _yaml,
    **{kind: partial(line_places, kind=kind) for kind in FORMATS},
}


def reads(kind: str) -> bool:
    """Say whether files of this kind are understood here."""
    return kind in _READERS


def places(text: str, kind: str) -> Iterator[Place]:
    """Yield every value and every comment of a text. Raises JsonProblem, and KeyError for a kind that `reads` denies."""
    return _READERS[kind](text)
