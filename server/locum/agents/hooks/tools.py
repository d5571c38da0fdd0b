"""What a tool call would do, told from its arguments: which files it writes and shows, which line it runs.

Clients rename their tools and add others (those of MCP servers among them), and their arguments stay alike: so that the
arguments decide, and names only where arguments do not tell. Pure; input is hostile.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, cast

from locum.agents.hooks.event import Change, Unreadable

_PATHS = ("file_path", "filePath", "path", "absolute_path", "target_file", "notebook_path", "filename", "file", "uri")
_TEXTS = ("content", "contents", "file_text", "fileText", "text", "code_edit", "code", "data")
_NEW = (
    "new_string",
    "newString",
    "new_str",
    "newStr",
    "new_source",
    "newText",
    "new_text",
    "replacement",
    "insert_text",
)
_OLD = ("old_string", "oldString", "old_str", "oldStr", "oldText", "old_text", "search")
_EVERYWHERE = ("replace_all", "replaceAll", "allow_multiple")
_PATCHES = ("input", "patch", "patchText", "patch_text", "diff", "command", "cmd")
_LINES = ("command", "cmd", "script", "chars", "commandLine")
_SHELL = re.compile(
    r"(?i)(?:^|[._/-])(?:bash|shell|sh|zsh|powershell|pwsh|terminal|exec|execute)(?:$|[._-])|shell|run_?(?:in_)?terminal|"
    r"exec(?:ute)?_?(?:bash|cmd|command)|run_?command|write_stdin|unified_exec"
)
_SHOWS = re.compile(r"(?i)read|view|cat\b|open|get_?file|grep|search|attach|show")
_WRITES = re.compile(r"(?i)write|edit|replace|create|patch|insert|append|save|update_file")
_OURS = re.compile(r"(?i)^(?:mcp__|mcp_|@)?locum(?:__|_|/|\.)")
_PATCH = re.compile(r"^\*\*\* Begin Patch[ \t]*$", re.MULTILINE)
_FILE = re.compile(r"\*\*\* (Add|Update|Delete) File: (.+?)\s*$")
_MOST = 200


def is_ours(name: str) -> bool:
    """Say whether a tool is one of Locum's own, which neither take nor give values."""
    return _OURS.match(name) is not None


def line_of(name: str, arguments: Mapping[str, Any]) -> str | None:
    """Return the line that a tool hands to a shell; None when it is no such tool. Raises Unreadable."""
    if _SHELL.search(name) is None:
        return None
    for key in _LINES:
        value = arguments.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            words = [str(word) for word in cast("list[Any]", value)]
            if len(words) == 3 and words[1].startswith("-") and words[1].endswith("c"):
                return words[2]  # bash -lc LINE
            return shlex.join(words)
    if any(key in arguments for key in _PATHS):
        return None
    raise Unreadable("a shell tool without a command")


def changes_of(name: str, arguments: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return what a tool would write. Raises Unreadable for arguments that no tool has."""
    patch = _patch_in(arguments)
    if patch is not None:
        return tuple(_patched(patch))
    found: list[Change] = []
    for call in _calls(arguments):
        path = _first(call, _PATHS) or _first(arguments, _PATHS)
        replacements = tuple(_replacements(call))
        text = _first(call, _TEXTS)
        if replacements:
            found.append(Change(path, None, replacements))
        elif text is not None and (path or _WRITES.search(name)):
            if str(call.get("command", call.get("mode", ""))) in {"append", "insert"}:
                found.append(Change(path, None, (("", text, False),)))
            else:
                found.append(Change(path, text))
    return tuple(found)


def reads_of(name: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files that a tool would show."""
    if _SHOWS.search(name) is None:
        return ()
    names: list[str] = []
    for call in _calls(arguments):
        names += [value for key in _PATHS if isinstance(value := call.get(key), str)]
        for key in ("paths", "files", "include", "file_paths", "image_paths"):
            value = call.get(key)
            if isinstance(value, list):
                names += [item for item in cast("list[Any]", value) if isinstance(item, str)]
    return tuple(re.sub(r"^file://", "", name) for name in names[:_MOST])


def is_write(name: str) -> bool:
    """Say whether a tool's name says that it writes."""
    return _WRITES.search(name) is not None


def _calls(arguments: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the arguments, and what stands in a list of operations in them."""
    yield arguments
    for key in ("edits", "operations", "replacements", "files", "changes"):
        value = arguments.get(key)
        if isinstance(value, list):
            for item in cast("list[Any]", value)[:_MOST]:
                if isinstance(item, dict):
                    yield cast("dict[str, Any]", item)


def _replacements(call: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    new = _first(call, _NEW)
    if new is None:
        return
    old = _first(call, _OLD) or ""
    yield old, new, any(call.get(key) is True for key in _EVERYWHERE)


def _first(call: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """Return the first text under one of the keys; "" for a path that is none, None for a text that is none."""
    for key in keys:
        value = call.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list) and keys is not _PATHS:
            return "".join(str(item) for item in cast("list[Any]", value))  # a notebook's lines
        if isinstance(value, dict) and keys is _TEXTS:
            import json

            return json.dumps(value, ensure_ascii=False)
    return "" if keys is _PATHS else None


def _patch_in(arguments: Mapping[str, Any]) -> str | None:
    for key in _PATCHES:
        value = arguments.get(key)
        if isinstance(value, list):
            value = next(
                (item for item in cast("list[Any]", value) if isinstance(item, str) and _PATCH.search(item)), None
            )
        if isinstance(value, str) and _PATCH.search(value):
            return value
    return None


def _patched(patch: str) -> list[Change]:
    """Read the envelope of `apply_patch`: files that are added whole, and hunks of those that are updated."""
    reader = _PatchReader()
    for line in patch.splitlines():
        if line.startswith("*** End Patch"):
            break
        reader.take(line)
    reader.end_file()
    return reader.changes


class _PatchReader:
    """Reads a patch line by line."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._kind, self._path = "", ""
        self._before: list[str] = []
        self._after: list[str] = []
        self._hunks: list[tuple[str, str, bool]] = []

    def take(self, line: str) -> None:
        header = _FILE.match(line)
        if header:
            self.end_file()
            self._kind, self._path = header[1], header[2]
        elif line.startswith("@@"):
            self._end_hunk()
        elif not line.startswith("*** "):
            if not line.startswith("+"):
                self._before.append(line[1:])
            if not line.startswith("-"):
                self._after.append(line[1:])

    def end_file(self) -> None:
        self._end_hunk()
        if self._kind == "Add":
            self.changes.append(Change(self._path, "\n".join(new for _, new, _ in self._hunks) + "\n"))
        elif self._kind == "Update" and self._hunks:
            self.changes.append(Change(self._path, None, tuple(self._hunks)))
        self._hunks = []
        self._kind = ""

    def _end_hunk(self) -> None:
        if self._before or self._after:
            self._hunks.append(("\n".join(self._before), "\n".join(self._after), False))
            self._before, self._after = [], []
