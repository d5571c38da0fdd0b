"""JSON: a string becomes `"locum://NAME"`; an MCP server with one starts through `locum run`, which resolves it."""

from __future__ import annotations

from locum.rewrite.idioms import mcp_config
from locum.rewrite.idioms.json_reader import JsonProblem, Node, comments, decode, read, way_to
from locum.rewrite.idioms.mcp_clients import find_map
from locum.rewrite.idioms.mcp_server import Server
from locum.rewrite.idioms.settings_text import JSON, from_json
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit
from locum.text.source import SourceText


def rewrite(target: Target) -> Plan:
    """Replace the string that holds the secret, all of it: nothing in JSON can put a value into a longer one."""
    if any(start <= target.start and target.end <= end for start, end in comments(target.text)):
        return target.as_prose("comment")
    try:
        return _rewrite(target, read(target.text))
    except JsonProblem as problem:
        line = SourceText(target.text).line_of(min(problem.offset, len(target.text))) + 1
        raise NoSafeEdit(f"the file is no valid JSON (line {line}): mend that first") from None


def _rewrite(target: Target, root: Node) -> Plan:
    way = list(way_to(target.text, root, target.start, target.end))
    node = way[-1][1] if way else root
    if node.kind != "string" or not node.start < target.start <= target.end < node.end:
        raise NoSafeEdit("the secret is not the value of a string")
    value = decode(target.text, node)
    edit = Edit(node.start + 1, node.end - 1, target.reference)
    keys = [key for key, _ in way]
    found = find_map(target.path, keys)
    if found is not None and len(keys) > found[1] + 1:
        client, depth = found
        server = Server(target.text, JSON, client, keys[depth], from_json(target.text, way[depth][1]))
        return mcp_config.rewrite(target, server, tuple(keys[depth + 1 :]))
    partial = not target.covers(edit.start, edit.end)
    if partial and any(char.isspace() for char in value):
        raise NoSafeEdit("the secret is a part of a longer text, and JSON cannot put a value into one")
    note = "Nothing resolves references in JSON by itself: the program that reads this file must take the value from "
    note += f"the variable {target.name} when it sees {target.reference}."
    if partial:
        note = f"The whole string is stored, not only the secret in it. {note}"
    return target.plan((edit,), value, target.reference, note)
