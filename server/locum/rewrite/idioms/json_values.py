"""JSON: a string becomes `"locum://NAME"`; an MCP server with one starts through `locum run`, which resolves it."""

from __future__ import annotations

from locum.rewrite.idioms import mcp_config
from locum.rewrite.idioms.forms import Choice, check_plain, choose, replaced_span
from locum.rewrite.idioms.json_reader import JsonProblem, Node, comments, decode, read, way_to
from locum.rewrite.idioms.kubernetes import decoded, in_json_data
from locum.rewrite.idioms.mcp_clients import find_map
from locum.rewrite.idioms.mcp_server import Server
from locum.rewrite.idioms.settings_text import JSON, from_json
from locum.rewrite.idioms.spelling import STYLES
from locum.rewrite.idioms.vscode_tasks import is_task_file, wrap_task
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit
from locum.text.source import SourceText


def rewrite(target: Target) -> Plan:
    """Replace the string that holds the secret; all of it, unless the file's reader can put a value into a longer one."""
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
    if is_task_file(target.path):
        if "${" in value:
            raise NoSafeEdit("the value is put together from other variables")
        edits, note = wrap_task(target.text, [node for _, node in way], keys)
        if not target.covers(edit.start, edit.end):
            note = f"The whole value is stored, not only the secret in it. {note}"
        return target.plan((edit, *edits), value, target.reference, note)
    choice = choose(target, "/".join(map(str, keys)))
    if in_json_data(target.text, [root, *(node for _, node in way)], keys):
        return target.plan((edit,), decoded(value), target.reference, choice.note)
    return _replace(target, node, choice)


def _replace(target: Target, node: Node, choice: Choice) -> Plan:
    """Replace the string, or the secret in it where the file's reader expands variables."""
    body = node.start + 1, node.end - 1
    start, end, about = replaced_span(target, choice, *body)
    style = STYLES["json"]
    parts = [style.decode(target.text[at:to]) for at, to in ((body[0], start), (start, end), (end, body[1]))]
    if "".join(parts) != style.decode(target.text[slice(*body)]):
        raise NoSafeEdit("the secret begins or ends inside of an escape")
    check_plain(choice, parts[1])
    return target.plan((Edit(start, end, choice.written),), parts[1], choice.written, about + choice.note)
