"""MCP servers: a reference in `env`, and the server starts through `locum run`, which resolves it.

Clients do not know our references, so a resolver has to stand in front of the server: `locum run` takes every reference
that it finds in its own environment, asks, and hands the value to the child. What stands in arguments goes into the
environment where the program is known to take it from there; a remote server becomes a local one (`mcp_remote`).
"""

from __future__ import annotations

import json
import re

from locum.refs.reference import locum_reference
from locum.rewrite.idioms.mcp_remote import bridge
from locum.rewrite.idioms.mcp_server import (
    ENVIRONMENTS,
    LAUNCHER,
    Server,
    is_bridge,
    is_header_of_mcp_remote,
    uses_mcp_remote,
    variable_of_container,
)
from locum.rewrite.idioms.settings_text import Member, Place, Value, space_before, split_string
from locum.rewrite.naming import steers_programs
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit, apply_edits

TTL = "8h"
"""A server lives as long as its client's session; the default of `locum run` would end it after minutes."""
_WRAP = ("run", "--ttl", TTL, "--")
_ARGUMENT = (
    "it is an argument of an MCP server, and arguments are visible to every process on this machine: "
    "give it to the server in 'env', if the server can read it there"
)
_MCP_REMOTE = (
    "mcp-remote expands variables in '--header' only, and arguments are visible to every process on this machine: "
    "let 'locum bridge' take its place"
)
_OTHER_VARIABLES = re.compile(r"\$\{|\{env:|\{file:")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PREFIX = re.compile(r"(?:[A-Za-z_]\w*=[^\s'\"\\$`;&|<>()*?~#]*[ \t]+)+")
"""Assignments in front of a shell's command, each without quotes and special characters."""


def rewrite(target: Target, server: Server, way: Place) -> Plan:
    """Plan the fix for the string at `way` (from the server's definition) that holds the secret. Raises NoSafeEdit."""
    if server.value.kind != "object":
        raise NoSafeEdit("this is no definition of an MCP server")
    leaf = server.value
    for name in way:
        leaf = next(member.value for member in reversed(leaf.members) if member.name == name)
    made = _plan(target, server, way[1:] if way[0] == "command" and isinstance(way[-1], str) else way, leaf)
    if not server.syntax.reads(apply_edits(target.text, made.edits)):
        raise NoSafeEdit("this MCP server's definition is laid out in a way that cannot be changed piece by piece")
    return made


def _plan(target: Target, server: Server, way: Place, leaf: Value) -> Plan:
    if way and way[0] in ENVIRONMENTS and len(way) == 2:
        return _in_environment(target, server, leaf, str(way[1]))
    if any(word.value == leaf for word in server.words()):
        return _in_arguments(target, server, leaf)
    if not way:
        raise NoSafeEdit("this MCP server has no command to start")
    return bridge(target, server, way, leaf)


def _in_environment(target: Target, server: Server, leaf: Value, name: str) -> Plan:
    if _OTHER_VARIABLES.search(leaf.text):
        raise NoSafeEdit("the value is put together from other variables")
    _refuse_control(name)
    edit = Edit(leaf.start, leaf.end, server.syntax.quote(target.reference))
    return target.plan((edit, *_launched(server)), leaf.text, target.reference, _note(server))


def _in_arguments(target: Target, server: Server, leaf: Value) -> Plan:
    task = server.task()
    index = next((number for number, word in enumerate(task) if word.value == leaf), None)
    if index is None or task[index].member is None:
        raise NoSafeEdit(_ARGUMENT)
    words = [word.text for word in task]
    parts = split_string(server.syntax, target.text, leaf, target.start, target.end)
    if is_bridge(words) and parts is not None:
        return bridge(target, server, (), leaf)
    if is_header_of_mcp_remote(words, index) and parts is not None:
        if _OTHER_VARIABLES.search(leaf.text):
            raise NoSafeEdit("the value is put together from other variables")
        header = f"{parts[0]}${{{target.name}}}{parts[2]}"
        edit = Edit(leaf.start, leaf.end, server.syntax.quote(header))
        return _moved(target, server, [edit], target.name, parts[1])
    variable = variable_of_container(words, index)
    if variable is not None and _ASSIGNMENT.match(variable[1]):
        name, _, value = variable[1].partition("=")
        edit = Edit(leaf.start, leaf.end, server.syntax.quote(variable[0] + name))
        return _moved(target, server, [edit], name, value)
    if re.fullmatch(r"(.*/)?env", words[0]) and all(_ASSIGNMENT.match(word) for word in words[1 : index + 1]):
        name, _, value = words[index].partition("=")
        listed = server.arguments if server.program and server.program.value.kind == "string" else server.program
        member = task[index].member
        if listed is not None and member is not None and len(words) > index + 1:
            return _moved(target, server, server.syntax.drop(target.text, listed.value, member), name, value)
    if uses_mcp_remote(words[:index]):
        raise NoSafeEdit(_MCP_REMOTE)
    if index > 1 and re.fullmatch(r"(.*/)?(ba|da|z)?sh", words[0]) and words[1:index] == ["-c"] and parts is not None:
        return _in_script(target, server, leaf, parts)
    raise NoSafeEdit(_ARGUMENT)


def _in_script(target: Target, server: Server, leaf: Value, parts: tuple[str, str, str]) -> Plan:
    """Take `NAME=value` from the front of a shell's script: the shell inherits the variable."""
    prefix = _PREFIX.match(leaf.text)
    start = leaf.text.rfind(" ", 0, len(parts[0])) + 1
    assigned = re.compile(r"([A-Za-z_]\w*)=(\S*)[ \t]+").match(leaf.text, start)
    if prefix is None or assigned is None or assigned.end() > prefix.end() or assigned.start(2) > len(parts[0]):
        raise NoSafeEdit(_ARGUMENT)
    script = leaf.text[:start] + leaf.text[assigned.end() :]
    edit = Edit(leaf.start, leaf.end, server.syntax.quote(script))
    return _moved(target, server, [edit], assigned[1], assigned[2])


def _moved(target: Target, server: Server, edits: list[Edit], name: str, value: str) -> Plan:
    """Plan for a value that goes from the arguments into the variable `name`."""
    if _OTHER_VARIABLES.search(value):
        raise NoSafeEdit("the value is put together from other variables")
    _refuse_control(name)
    environment = server.environment
    reference = server.syntax.quote(locum_reference(target.name))
    if environment is None:
        added = [(server.client.env, server.syntax.table(name, reference))]
        edits += _launched(server, added)
    elif environment.value.kind != "object" or environment.value.get(name) is not None:
        raise NoSafeEdit(f"'env' of this MCP server has a {name} already: take one of the two out first")
    else:
        edits += [*_launched(server), server.syntax.add_into(server.text, environment.value, name, reference)]
    return target.plan(edits, value, target.reference, _note(server))


def _refuse_control(name: str) -> None:
    if steers_programs(name):
        raise NoSafeEdit(f"{name} steers programs, so 'locum run' passes no secret under this name")


def _note(server: Server) -> str:
    label = json.dumps(server.label, ensure_ascii=False)
    return (
        f"The MCP server {label} now starts through 'locum run', which asks before it hands over the value; "
        "restart the server."
    )


def _launched(server: Server, added: list[tuple[str, str]] | None = None) -> list[Edit]:
    """Put `locum run` in front of the command, if it is not there, and more members (spelt) behind; layout and comments stay."""
    program, arguments, syntax, text = server.program, server.arguments, server.syntax, server.text
    if program is None or program.value.kind not in {"string", "array"}:
        raise NoSafeEdit("this MCP server has no command to start")
    more = list(added or ())
    last = arguments or program
    if server.is_launched():
        return [syntax.add_after(text, last, more)] if more else []
    if program.value.kind == "array":
        edits = [_put_first(server, program, [*map(syntax.quote, (LAUNCHER, *_WRAP))])]
        return [*edits, syntax.add_after(text, program, more)] if more else edits
    old = text[program.value.start : program.value.end]
    edits = [Edit(program.value.start, program.value.end, syntax.quote(LAUNCHER))]
    if arguments is None:
        if re.search(r"\s", program.value.text):
            raise NoSafeEdit("the command is a whole command line: split it into 'command' and 'args' first")
        words = f"[{', '.join([*map(syntax.quote, _WRAP), old])}]"
        return [*edits, syntax.add_after(text, program, [("args", words), *more])]
    edits.append(_put_first(server, arguments, [*map(syntax.quote, _WRAP), old]))
    return [*edits, syntax.add_after(text, arguments, more)] if more else edits


def _put_first(server: Server, listed: Member, spelt: list[str]) -> Edit:
    """Put words, spelt already, in front of a list."""
    items = listed.value
    if items.kind != "array":
        raise NoSafeEdit("'args' of this MCP server is no list")
    if not items.members:
        return Edit(items.start + 1, items.start + 1, ", ".join(spelt))
    at = items.members[0].value.start
    gap = space_before(server.text, at) or " "
    return Edit(at, at, "".join(f"{word},{gap}" for word in spelt))
