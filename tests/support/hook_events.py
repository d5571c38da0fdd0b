"""Events as the AI clients send them to a hook, one table a client; each is made for a working directory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class ClientEvents:
    """How one client says things. Functions return the whole event; paths are absolute or relative as the client has them."""

    write: Callable[[str, str, str], Json]
    """cwd, path, text"""
    shell: Callable[[str, str], Json]
    """cwd, line"""
    read: Callable[[str, str], Json]
    """cwd, path"""
    prompt: Callable[[str, str], Json]
    """cwd, text"""
    start: Callable[[str], Json]
    after: Callable[[str, str], Json] | None = None
    """cwd, what a shell printed"""
    edit: Callable[[str, str, str, str], Json] | None = None
    """cwd, path, old, new"""
    hint: str = ""
    """Added to the command line where the events of a tool do not say what they are."""


def _claude(name: str) -> Callable[..., Json]:
    def event(cwd: str, **fields: Any) -> Json:
        return {
            "session_id": "3f7c", "transcript_path": "/home/u/.claude/t.jsonl", "cwd": cwd, "permission_mode": "default",
            "hook_event_name": name, **fields,
        }  # fmt: skip

    return event


_pre, _post = _claude("PreToolUse"), _claude("PostToolUse")


def _patch_add(path: str, text: str) -> str:
    return "\n".join(
        ["*** Begin Patch", f"*** Add File: {path}", *(f"+{line}" for line in text.split("\n")), "*** End Patch"]
    )


def _patch_update(path: str, old: str, new: str) -> str:
    removed, added = [f"-{line}" for line in old.split("\n")], [f"+{line}" for line in new.split("\n")]
    return "\n".join(["*** Begin Patch", f"*** Update File: {path}", "@@", *removed, *added, "*** End Patch"])


def _gemini(name: str) -> Callable[..., Json]:
    def event(cwd: str, **fields: Any) -> Json:
        return {
            "session_id": "9a", "transcript_path": "/t.json", "cwd": cwd, "hook_event_name": name,
            "timestamp": "2026-11-01T10:00:00Z", **fields,
        }  # fmt: skip

    return event


def _kiro(name: str) -> Callable[..., Json]:
    return lambda cwd, **fields: {"hook_event_name": name, "cwd": cwd, **fields}


def _cursor(name: str) -> Callable[..., Json]:
    def event(root: str, **fields: Any) -> Json:
        return {
            "conversation_id": "c1", "generation_id": "g1", "hook_event_name": name, "cursor_version": "2.4",
            "workspace_roots": [root], **fields,
        }  # fmt: skip

    return event


def _opencode(name: str) -> Callable[..., Json]:
    return lambda cwd, **fields: {"hook_event_name": name, "session_id": "ses_1", "cwd": cwd, **fields}


EVENTS: dict[str, ClientEvents] = {
    "claude": ClientEvents(
        write=lambda cwd, path, text: _pre(cwd, tool_name="Write", tool_input={"file_path": path, "content": text}),
        edit=lambda cwd, path, old, new: _pre(
            cwd, tool_name="Edit", tool_input={"file_path": path, "old_string": old, "new_string": new, "replace_all": False}
        ),
        shell=lambda cwd, line: _pre(cwd, tool_name="Bash", tool_input={"command": line, "description": "d"}),
        read=lambda cwd, path: _pre(cwd, tool_name="Read", tool_input={"file_path": path}),
        prompt=lambda cwd, text: _claude("UserPromptSubmit")(cwd, prompt=text),
        start=lambda cwd: _claude("SessionStart")(cwd, source="startup"),
        after=lambda cwd, out: _post(
            cwd, tool_name="Bash", tool_input={"command": "x"},
            tool_response={"stdout": out, "stderr": "", "interrupted": False, "isImage": False},
        ),
    ),
    "codex": ClientEvents(
        write=lambda cwd, path, text: _pre(cwd, tool_name="apply_patch", tool_input={"command": _patch_add(path, text)}),
        edit=lambda cwd, path, old, new: _pre(
            cwd, tool_name="apply_patch", tool_input={"command": _patch_update(path, old, new)}
        ),
        shell=lambda cwd, line: _pre(cwd, tool_name="Bash", tool_input={"command": line}),
        read=lambda cwd, path: _pre(cwd, tool_name="view_image", tool_input={"path": path}),
        prompt=lambda cwd, text: _claude("UserPromptSubmit")(cwd, prompt=text),
        start=lambda cwd: _claude("SessionStart")(cwd, source="startup"),
        after=lambda cwd, out: _post(cwd, tool_name="Bash", tool_input={"command": "x"}, tool_response=out),
    ),
    "gemini": ClientEvents(
        write=lambda cwd, path, text: _gemini("BeforeTool")(
            cwd, tool_name="write_file", tool_input={"file_path": path, "content": text}
        ),
        edit=lambda cwd, path, old, new: _gemini("BeforeTool")(
            cwd, tool_name="replace", tool_input={"file_path": path, "old_string": old, "new_string": new, "instruction": "i"}
        ),
        shell=lambda cwd, line: _gemini("BeforeTool")(cwd, tool_name="run_shell_command", tool_input={"command": line}),
        read=lambda cwd, path: _gemini("BeforeTool")(cwd, tool_name="read_file", tool_input={"file_path": path}),
        prompt=lambda cwd, text: _gemini("BeforeAgent")(cwd, prompt=text),
        start=lambda cwd: _gemini("SessionStart")(cwd, source="startup"),
        after=lambda cwd, out: _gemini("AfterTool")(
            cwd, tool_name="run_shell_command", tool_input={"command": "x"},
            tool_response={"llmContent": out, "returnDisplay": out},
        ),
    ),
    "kiro": ClientEvents(
        write=lambda cwd, path, text: _kiro("preToolUse")(
            cwd, tool_name="fs_write", tool_input={"command": "create", "path": path, "file_text": text}
        ),
        edit=lambda cwd, path, old, new: _kiro("PreToolUse")(
            cwd, tool_name="fs_write", tool_input={"command": "str_replace", "path": path, "old_str": old, "new_str": new}
        ),
        shell=lambda cwd, line: _kiro("preToolUse")(cwd, tool_name="execute_bash", tool_input={"command": line}),
        read=lambda cwd, path: _kiro("preToolUse")(
            cwd, tool_name="fs_read", tool_input={"operations": [{"mode": "Line", "path": path}]}
        ),
        prompt=lambda cwd, text: _kiro("userPromptSubmit")(cwd, prompt=text),
        start=_kiro("agentSpawn"),
    ),
    "cursor": ClientEvents(
        write=lambda cwd, path, text: _cursor("preToolUse")(
            cwd, tool_name="Write", tool_input={"file_path": path, "content": text}, cwd=cwd
        ),
        shell=lambda cwd, line: _cursor("beforeShellExecution")(cwd, command=line, cwd=cwd),
        read=lambda cwd, path: _cursor("beforeReadFile")(cwd, file_path=path, content="", attachments=[]),
        prompt=lambda cwd, text: _cursor("beforeSubmitPrompt")(cwd, prompt=text, attachments=[]),
        start=lambda cwd: _cursor("sessionStart")(cwd, session_id="s"),
    ),
    "copilot": ClientEvents(
        write=lambda cwd, path, text: {
            "timestamp": 1, "cwd": cwd, "toolName": "create", "toolArgs": json.dumps({"path": path, "file_text": text}),
        },
        edit=lambda cwd, path, old, new: {
            "timestamp": "2026-11-01T10:00:00Z", "cwd": cwd, "sessionId": "s", "hookEventName": "PreToolUse",
            "tool_name": "replace_string_in_file", "tool_input": {"filePath": path, "oldString": old, "newString": new},
        },
        shell=lambda cwd, line: {"timestamp": 1, "cwd": cwd, "toolName": "bash", "toolArgs": json.dumps({"command": line})},
        read=lambda cwd, path: {"timestamp": 1, "cwd": cwd, "toolName": "view", "toolArgs": json.dumps({"path": path})},
        prompt=lambda cwd, text: {"cwd": cwd, "hookEventName": "UserPromptSubmit", "prompt": text},
        start=lambda cwd: {"cwd": cwd, "hookEventName": "SessionStart", "source": "new"},
        hint="preToolUse",
    ),
    "opencode": ClientEvents(
        write=lambda cwd, path, text: _opencode("tool.execute.before")(
            cwd, tool_name="write", tool_input={"filePath": path, "content": text}
        ),
        edit=lambda cwd, path, old, new: _opencode("tool.execute.before")(
            cwd, tool_name="edit", tool_input={"filePath": path, "oldString": old, "newString": new}
        ),
        shell=lambda cwd, line: _opencode("tool.execute.before")(
            cwd, tool_name="bash", tool_input={"command": line, "description": "d"}
        ),
        read=lambda cwd, path: _opencode("tool.execute.before")(cwd, tool_name="read", tool_input={"filePath": path}),
        prompt=lambda cwd, text: _opencode("chat.message")(cwd, prompt=text),
        start=_opencode("session.start"),
        after=lambda cwd, out: _opencode("tool.execute.after")(
            cwd, tool_name="bash", tool_input={"command": "x"}, tool_response=out
        ),
    ),
}  # fmt: skip


def says_no(client: str, stdout: str, code: int) -> bool:
    """Say whether a reply stops the event, as the client's reference has it."""
    said: Json = json.loads(stdout) if stdout.strip().startswith("{") else {}
    if client in {"copilot", "opencode"}:
        return (code == 0 and "deny" in {said.get("permissionDecision"), said.get("decision")}) or said.get(
            "decision"
        ) == "block"
    return code == 2
