"""VS Code's `tasks.json`: a task with a reference in `options.env` starts through `locum run`, which resolves it.

VS Code itself expands `${env:NAME}` in tasks, but only from the environment that the editor was started with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from locum.rewrite.idioms.json_reader import Node, decode, member
from locum.rewrite.idioms.settings_text import space_before
from locum.rewrite.target import NoSafeEdit
from locum.text.edits import Edit

_LAUNCHER = "locum"
_WRAP = ("run", "--")
_OPERATORS = re.compile(r"[;&|<>()`\n#]|\$\(")
_BUILTINS = {
    "cd",
    "source",
    ".",
    "export",
    "set",
    "alias",
    "eval",
    "exec",
    "if",
    "for",
    "while",
    "case",
    "trap",
    "{",
    "!",
}
_SYSTEMS = ("windows", "linux", "osx")


def is_task_file(path: str) -> bool:
    """Say whether VS Code reads tasks from this file."""
    return re.fullmatch(r"(.*/)?\.vscode/tasks\.json", path, re.IGNORECASE) is not None


def wrap_task(text: str, nodes: Sequence[Node], keys: Sequence[str | int]) -> tuple[tuple[Edit, ...], str]:
    """Return the edits that start a task through `locum run`, none when it does already, and what to tell.

    `keys` lead from the top to the string, through `nodes`. Raises NoSafeEdit for tasks and places where that cannot help.
    """
    if len(keys) < 3 or keys[0] != "tasks":
        raise NoSafeEdit(
            "Locum can resolve a reference in the environment of one task only: put it into that task's 'options.env'"
        )
    task, keys = nodes[1], keys[2:]
    if keys[0] in {"command", "args"}:
        raise NoSafeEdit(
            "it is a part of a task's command, which every process on this machine can see: "
            "give it to the program in 'options.env', if the program can read it there"
        )
    if list(keys[:2]) != ["options", "env"] or len(keys) != 3:
        raise NoSafeEdit("this part of a task cannot hold a reference: give it to the program in 'options.env'")
    if any(member(text, found[1], "command") for system in _SYSTEMS if (found := _object(text, task, system))):
        raise NoSafeEdit(
            "this task has a command of its own for each system: put 'locum run --' in front of them first"
        )
    command = member(text, task, "command")
    if command is None or command[1].kind != "string":
        raise NoSafeEdit("this task has no command of its own that could be started through 'locum run'")
    args = member(text, task, "args")
    note = "The task now starts through 'locum run', which asks before it hands over the value."
    line = decode(text, command[1]).strip()
    first = line.split(maxsplit=1)[0] if line else ""
    words = [decode(text, item) for item in args[1].items if item.kind == "string"] if args else []
    if first.rpartition("/")[2] == _LAUNCHER and (line.split()[1:2] or words[:1]) == [_WRAP[0]]:
        return (), note
    if _type(text, task) == "process":
        return _split(text, command, args), note
    if first in _BUILTINS or "=" in first:
        raise NoSafeEdit("the task's command begins with shell syntax: put it into a script of its own first")
    if any(_OPERATORS.search(part) for part in (line, *words)):
        raise NoSafeEdit(
            "the task's command is more than one program for the shell: put it into a script of its own first"
        )
    if args is not None and args[1].items:
        return _split(text, command, args), note
    start = command[1].start + 1
    return (Edit(start, start, f"{_LAUNCHER} {' '.join(_WRAP)} "),), note


def _object(text: str, node: Node, key: str) -> tuple[Node, Node] | None:
    found = member(text, node, key)
    return found if found and found[1].kind == "object" else None


def _type(text: str, task: Node) -> str:
    kind = member(text, task, "type")
    name = decode(text, kind[1]) if kind and kind[1].kind == "string" else ""
    if name not in {"process", "shell"}:
        raise NoSafeEdit("only tasks of the type 'process' or 'shell' can start through 'locum run'")
    return name


def _split(text: str, command: tuple[Node, Node], args: tuple[Node, Node] | None) -> tuple[Edit, ...]:
    """Put `locum` in the command's place and the old command in front of the arguments; layout and comments stay."""
    name, value = command
    first = [*(f'"{word}"' for word in _WRAP), text[value.start : value.end]]
    replace = Edit(value.start, value.end, f'"{_LAUNCHER}"')
    if args is None:
        gap = space_before(text, name.start) or " "
        return replace, Edit(value.end, value.end, f',{gap}"args": [{", ".join(first)}]')
    items = args[1]
    if items.kind != "array":
        raise NoSafeEdit("'args' of this task is no list")
    if not items.items:
        return replace, Edit(items.start + 1, items.start + 1, ", ".join(first))
    at = items.items[0].start
    gap = space_before(text, at) or " "
    return replace, Edit(at, at, "".join(f"{word},{gap}" for word in first))
