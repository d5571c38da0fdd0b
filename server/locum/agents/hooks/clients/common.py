"""What adapters share: reading an event from a client's JSON, and the ways in which several clients are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from locum.agents.hooks import tools
from locum.agents.hooks.event import Event, Kind, Reply, Tool, Unreadable, Verdict

_NAMES = ("hook_event_name", "hookEventName", "event", "eventName")
_TOOLS = ("tool_name", "toolName", "tool")
_INPUTS = ("tool_input", "toolInput", "toolArgs", "tool_args", "args")
_OUTPUTS = ("tool_response", "toolResponse", "tool_output", "toolResult", "tool_result", "output", "result_json")
_SESSIONS = ("session_id", "sessionId", "sessionID", "conversation_id", "generation_id")
_PROMPTS = ("prompt", "user_prompt", "userPrompt", "message")


def read_event(client: str, kinds: Mapping[str, Kind], data: object, hint: str) -> Event:
    """Read an event. `hint` is its name where the client does not say it. Raises Unreadable."""
    if not isinstance(data, dict):
        raise Unreadable("not a JSON object")
    fields = cast("dict[str, Any]", data)
    name = _text(fields, _NAMES) or hint
    kind = kinds.get(name, "other")
    cwd = _text(fields, ("cwd", "working_directory")) or _root(fields)
    event = Event(client, kind, name, _text(fields, _SESSIONS), cwd, prompt=_text(fields, _PROMPTS))
    tool_name = _text(fields, _TOOLS)
    if kind == "other" and name not in kinds and not any(key in fields for key in _OUTPUTS):
        event = replace(event, kind="before")  # an event that we do not know may come before a write
    arguments = _arguments(fields)
    if kind in {"start", "prompt", "end"}:
        return event
    output = next((fields[key] for key in _OUTPUTS if key in fields), None)
    return _with_tool(event, tool_name, arguments, output, fields)


def _with_tool(
    event: Event, tool_name: str, arguments: dict[str, Any], output: Any, fields: Mapping[str, Any]
) -> Event:
    if not tool_name and isinstance(fields.get("command"), str):  # an event for shells alone
        tool_name, arguments = "shell", {"command": fields["command"]}
    elif not tool_name and isinstance(fields.get("file_path"), str):  # an event for files alone
        tool_name = "edit_file" if "edits" in fields else "read_file"
        arguments = {key: fields[key] for key in ("file_path", "edits") if key in fields}
    event = replace(event, tool_name=tool_name, input=arguments, output=output)
    if tools.is_ours(tool_name):
        return event
    changes = tools.changes_of(tool_name, arguments)
    line = None if changes else tools.line_of(tool_name, arguments)
    if line is not None:
        return replace(event, tool="shell", command=line)
    reads = () if changes else tools.reads_of(tool_name, arguments)
    tool: Tool = "write" if changes else "read" if reads else "other"
    if tool == "other" and event.kind == "before" and tools.is_write(tool_name) and _needs_text(arguments):
        tool = "write"  # of a text that we did not find: the judge stops it
    return replace(event, tool=tool, changes=changes, reads=reads)


def _needs_text(arguments: Mapping[str, Any]) -> bool:
    """Say whether a tool that is called as if it wrote has arguments in which a text could stand that we did not find."""
    return any(isinstance(value, (str, list, dict)) and len(json.dumps(value)) > 16 for value in arguments.values())


def _arguments(fields: Mapping[str, Any]) -> dict[str, Any]:
    for key in _INPUTS:
        value = fields.get(key)
        if isinstance(value, str) and value.lstrip().startswith("{"):
            try:
                value = json.loads(value)
            except ValueError:
                raise Unreadable(f"{key} is not JSON") from None
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        if isinstance(value, str):
            return {"input": value}
        if value is not None:
            raise Unreadable(f"{key} is not an object")
    return {}


def _text(fields: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((value for key in keys if isinstance(value := fields.get(key), str) and value), "")


def _root(fields: Mapping[str, Any]) -> str:
    roots = fields.get("workspace_roots")
    first = cast("list[Any]", roots)[0] if isinstance(roots, list) and roots else ""
    return first if isinstance(first, str) else ""


def told(fields: Mapping[str, Any] | None, *, stderr: str = "", code: int = 0) -> Reply:
    """Return a reply with one JSON object on stdout (none: nothing)."""
    text = "" if fields is None else json.dumps(fields, ensure_ascii=False) + "\n"
    return Reply(text, f"{stderr}\n" if stderr else "", code)


def blocked(fields: Mapping[str, Any], reason: str) -> Reply:
    """Return a no in both ways that such clients know: JSON, and exit code 2 with the reason on stderr."""
    return told(fields, stderr=reason, code=2)


def context_of(event: Event, verdict: Verdict) -> dict[str, Any] | None:
    """Return what is said to the model in addition, in the shape of Claude Code's hooks and of those made after it."""
    if not verdict.context:
        return None
    if event.kind == "end":
        return {"systemMessage": verdict.context}
    return {"hookSpecificOutput": {"hookEventName": event.name, "additionalContext": verdict.context}}


def as_text(output: Any) -> str:
    """Return what the model would have read of a tool's result."""
    content: Any = cast("dict[str, Any]", output).get("llmContent", output) if isinstance(output, dict) else output
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
