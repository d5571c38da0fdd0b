"""Variables and references in MCP configurations that nobody puts a value in the place of: where, and what would help.

Speaks only of clients whose table says what they expand. Offsets are code points; a message shows nothing of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from locum.refs.embedded import is_bare
from locum.refs.reference import Occurrence, find, looks_like_reference
from locum.rewrite.idioms.json_reader import JsonProblem, read
from locum.rewrite.idioms.mcp_clients import CLIENTS, find_map
from locum.rewrite.idioms.mcp_server import ENVIRONMENTS, HEADERS, URLS, Server, expands, is_bridge
from locum.rewrite.idioms.settings_text import JSON, TOML, Place, Value, from_json, from_toml

_MAX = 1 << 18
"""Code points. Reading more would hold up whoever types (a quarter of a second)."""
_READ = {"command", "args", *ENVIRONMENTS, *URLS, *HEADERS}
"""What of a definition a client reads values from."""
_VARIABLE = re.compile(
    r"\$\{\{.*?\}\}|\$\{[^{}\r\n\"]+\}|(?<!\$)\{(?:env|file):[^{}\r\n\"]+\}|(?<![\w$\\])\$[A-Z_][A-Z0-9_]*(?![\w(])"
)
_NOTHING = "(?!)"


@dataclass(frozen=True, slots=True)
class Unexpanded:
    """One such place."""

    start: int
    end: int
    message: str


def unexpanded(text: str, path: str) -> Iterator[Unexpanded]:
    """Yield what stands in the MCP servers of a settings text and reaches them as it is. Silent for what cannot be read."""
    if len(text) > _MAX or not (_VARIABLE.search(text) or "locum://" in text):
        return
    low = path.replace("\\", "/").lower()
    try:
        root = from_toml(text)[0] if low.endswith(".toml") else from_json(text, read(text))
    except (JsonProblem, ValueError, RecursionError):
        return
    for way, servers in _maps(root):
        for member in servers.members:
            found = find_map(low, [*way, member.name])
            if found is not None and found[1] == len(way) and found[0].expands is not None:
                syntax = TOML if low.endswith(".toml") else JSON
                yield from _in_server(Server(text, syntax, found[0], member.name, member.value))


def _maps(root: Value) -> Iterator[tuple[Place, Value]]:
    """Yield every map of servers that the text may hold, each once."""
    seen: set[int] = set()
    for shape in {shape: None for client in CLIENTS for shape in client.maps}:
        places: list[tuple[Place, Value]] = [((), root)]
        for name in shape:
            places = [
                ((*way, member.name), member.value)
                for way, value in places
                for member in value.members
                if name in {"*", member.name}
            ]
        for way, value in places:
            if value.kind == "object" and value.start not in seen:
                seen.add(value.start)
                yield way, value


def _in_server(server: Server) -> Iterator[Unexpanded]:
    words, task = server.words(), server.task()
    texts = [word.text for word in task]
    options = {word.value.start for word in words} - {word.value.start for word in task}
    for way, leaf in server.value.leaves():
        if way[0] not in _READ or leaf.start in options:
            continue
        index = next((number for number, word in enumerate(task) if word.value.start == leaf.start), None)
        by_program = (expands(texts, index) if index is not None else "") or _NOTHING
        by_client = server.client.expands or _NOTHING
        raw = server.text[leaf.start : leaf.end]
        for match in _VARIABLE.finditer(raw):
            if match[0].startswith("${{") or re.fullmatch(f"{by_client}|{by_program}", match[0]):
                continue
            yield Unexpanded(leaf.start + match.start(), leaf.start + match.end(), _message(server, way))
        for item in find(raw):
            if index is not None and index > 1 and is_bridge(texts):
                if message := _about_bridge(server, item):
                    yield Unexpanded(leaf.start + item.start, leaf.start + item.end, message)
                continue
            is_variable = any(name in ENVIRONMENTS for name in way[:2]) and looks_like_reference(leaf.text)
            if not (is_variable and server.is_launched()):
                yield Unexpanded(leaf.start + item.start, leaf.start + item.end, _about_reference(is_variable))


def _message(server: Server, way: Place) -> str:
    client = server.client
    if client.expands:
        return f"{client.name} does not expand this: it expands {client.shown} here."
    said = f"{client.name} expands nothing here"
    if client.shown:
        said += f": {client.shown}"
    if way[0] in {*URLS, *HEADERS}:
        return f"{said}. Reach the server through 'locum run -- locum bridge', which resolves references."
    if any(name in ENVIRONMENTS for name in way[:2]):
        return f"{said}. Write a reference, and start the server through 'locum run'."
    return f"{said}. Give the value to the server in 'env', as a reference, and start it through 'locum run'."


def _about_bridge(server: Server, item: Occurrence) -> str:
    """Say why the bridge would not put a value in the place of a reference, "" where it does or nobody knows."""
    if item.reference is None or not (item.reference.is_declared and is_bare(item.reference)):
        return "The bridge does not take this: write locum://NAME, and give NAME=REF to '--secret' of 'locum run'."
    name, texts = item.reference.name, [word.text for word in server.words()]
    options = texts[: texts.index("--")] if server.is_launched() else []
    listed, environment = server.value.get("env_vars"), server.environment
    handed_on = [member.value.text for member in listed.value.members] if listed is not None else []
    if name in server.given() or name in handed_on or (environment and environment.value.get(name)):
        return ""
    if any(option.partition("=")[0] in {"--task", "--env-file"} for option in options):
        return ""  # they name secrets too
    start = "" if options else "start it through 'locum run', and "
    return f"The bridge has no value for this: {start}put '--secret' and the name before '--'."


def _about_reference(is_variable: bool) -> str:
    if is_variable:
        return "Nothing resolves this reference: start the server through 'locum run'."
    return "Nothing resolves a reference here: 'locum run' does, where it is the whole value of a variable in 'env'."
