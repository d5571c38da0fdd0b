"""MCP client configurations: which JSON describes a server, and how its command starts through `locum run`.

Clients do not know our references, so a reference in a server's `env` needs a resolver in front of the server:
`locum run` takes every reference that it finds in its own environment, asks, and hands the value to the child.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from locum.rewrite.idioms.json_reader import Node, decode, member
from locum.rewrite.target import NoSafeEdit
from locum.text.edits import Edit

# (path, keys down to the map of servers): the clients' own formats. `*` stands for any one key.
_MAPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r".*", ("mcpServers",)),  # Claude, Cursor, Kiro, Gemini and others; no other format has such a key
    (r".*", ("projects", "*", "mcpServers")),  # ~/.claude.json
    (r"(.*/)?mcp\.json", ("servers",)),  # VS Code, in .vscode/ and in the profile
    (r".*", ("mcp", "servers")),  # VS Code's settings.json and *.code-workspace
)
_LAUNCHER = "locum"
_WRAP = ("run", "--")
_ARGUMENT = (
    "it is an argument of an MCP server, and arguments are visible to every process on this machine: "
    "give it to the server in 'env', if the server can read it there"
)
_REMOTE = (
    "it belongs to a remote MCP server (url or headers), and there is no process that Locum could start for it: "
    "use the client's own input or sign-in for this server"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A string inside of a server's definition."""

    server: Node
    label: str | int
    """The server's name in the configuration."""
    keys: Sequence[str | int]
    """The way from the server to the string."""


def is_server_map(path: str, keys: Sequence[str | int]) -> bool:
    """Say whether these keys of the file at `path` lead to a map from server names to servers."""
    return any(
        len(keys) == len(shape)
        and all(want in ("*", key) for want, key in zip(shape, keys, strict=True))
        and re.fullmatch(pattern, path)
        for pattern, shape in _MAPS
    )


def wrap(text: str, place: Place) -> tuple[tuple[Edit, ...], str]:
    """Return the edits that start the server through `locum run`, none when it does already, and what to tell.

    Raises NoSafeEdit for servers and places where that cannot help.
    """
    server = place.server
    section = place.keys[0] if place.keys else ""
    if server.kind != "object":
        raise NoSafeEdit("this is no definition of an MCP server")
    if section == "args":
        raise NoSafeEdit(_ARGUMENT)
    if section in {"url", "headers", "http_headers"}:
        raise NoSafeEdit(_REMOTE)
    command = member(text, server, "command")
    if command is None or command[1].kind != "string":
        raise NoSafeEdit(_REMOTE if member(text, server, "url") else "this MCP server has no command to start")
    if section != "env" or len(place.keys) != 2:
        raise NoSafeEdit("this part of an MCP server's definition cannot hold a reference")
    args = member(text, server, "args")
    note = f"The MCP server {json.dumps(place.label, ensure_ascii=False)} now starts through 'locum run', which asks"
    note += " before it hands over the value; restart the server."
    if _is_wrapped(text, command[1], args[1] if args else None):
        return (), note
    return _edits(text, command, args), note


def _is_wrapped(text: str, command: Node, args: Node | None) -> bool:
    program = PurePosixPath(decode(text, command).replace("\\", "/")).name.removesuffix(".exe")
    if program != _LAUNCHER or args is None or not args.items or args.items[0].kind != "string":
        return False
    return decode(text, args.items[0]) == _WRAP[0]


def _edits(text: str, command: tuple[Node, Node], args: tuple[Node, Node] | None) -> tuple[Edit, ...]:
    """Put `locum` in the command's place and the old command in front of the arguments; layout and comments stay."""
    name, value = command
    old = text[value.start : value.end]
    first = [*(f'"{word}"' for word in _WRAP), old]
    replace = Edit(value.start, value.end, f'"{_LAUNCHER}"')
    if args is None:
        if re.search(r"\s", decode(text, value)):
            raise NoSafeEdit("the command is a whole command line: split it into 'command' and 'args' first")
        gap = _space_before(text, name.start) or " "
        return replace, Edit(value.end, value.end, f',{gap}"args": [{", ".join(first)}]')
    items = args[1]
    if items.kind != "array":
        raise NoSafeEdit("'args' of this MCP server is no list")
    if not items.items:
        return replace, Edit(items.start + 1, items.start + 1, ", ".join(first))
    at = items.items[0].start
    gap = _space_before(text, at) or " "
    return replace, Edit(at, at, "".join(f"{word},{gap}" for word in first))


def _space_before(text: str, offset: int) -> str:
    """Return the white space right before an offset, so that what is added looks like what is there."""
    start = offset
    while start and text[start - 1] in " \t\r\n":
        start -= 1
    return text[start:offset]
