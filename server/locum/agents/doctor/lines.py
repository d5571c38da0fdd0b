"""The lines in a client's hooks, run as a client would run them: are they there, do they answer, and in time?

A line gets a recorded event of its client with a canary in it. What it answers is looked at, and nothing of it is shown.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from locum.agents.doctor.canary import make_canary
from locum.agents.doctor.places import Hook

_LONGEST = 30.0
"""Seconds for a line whose client waits for longer, or does not say."""
_SHELL_MISSES = {126, 127}
"""What a shell returns when it cannot start a program (POSIX, 2.8.2)."""
_NO = re.compile(r'"(?:permissionDecision|decision|permission)"\s*:\s*"(?:deny|block)"|"continue"\s*:\s*false')
_INSTEAD = re.compile(r'"(?:updatedInput|updated_input|updatedToolOutput|updatedOutput|tool_input)"\s*:')

State = Literal["refuses", "allows", "missing", "crashes", "hangs"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one line did with a canary."""

    hook: Hook
    state: State
    seconds: float = 0
    """With `hangs`: how long was waited."""
    about: str = ""
    """With `missing`, the program; with `crashes`, how it ended. No output of the line."""


def ask(hook: Hook, client: str, variables: Mapping[str, str], cwd: Path) -> Answer:
    """Run a line with an event that it has to stop or to clean."""
    program = _program(hook.command)
    if program and shutil.which(program, path=variables.get("PATH")) is None:
        return Answer(hook, "missing", about=program)
    canary = make_canary()
    event = sample(client, hook, canary, cwd)
    waits = min(hook.timeout or _LONGEST, _LONGEST)
    shell = ["cmd", "/d", "/c", hook.command] if os.name == "nt" else ["sh", "-c", hook.command]
    process = subprocess.Popen(
        shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=cwd, env=dict(variables),
        start_new_session=True,
    )  # fmt: skip
    try:
        stdout, _ = process.communicate(json.dumps(event).encode(), waits)
    except subprocess.TimeoutExpired:
        return Answer(hook, "hangs", waits)
    finally:
        end_group(process)
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
    text = stdout.decode("utf-8", "replace")
    if process.returncode in _SHELL_MISSES:
        return Answer(hook, "missing", about=program or "its program")
    if process.returncode not in {0, 2} or not _is_json(text):
        how = f"exit {process.returncode}" if process.returncode not in {0, 2} else "its answer is no JSON"
        return Answer(hook, "crashes", about=how)
    if hook.kind == "after":
        answered = bool(_INSTEAD.search(text) or _NO.search(text)) and canary not in text
    else:
        answered = process.returncode == 2 or bool(_NO.search(text) or _INSTEAD.search(text))
    return Answer(hook, "refuses" if answered else "allows")


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session, and what it left running."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _program(command: str) -> str:
    """Return the program that a line starts, "" where it cannot be told."""
    try:
        words = shlex.split(command, posix=os.name != "nt")
    except ValueError:
        return ""
    words = [word for word in words if not re.fullmatch(r"\w+=.*", word)]
    first = words[0].strip('"') if words else ""
    return "" if first in {"&", "exec", "env", "cmd", "if", "test", "["} else first


def _is_json(text: str) -> bool:
    if not text.strip():
        return True
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


# -- recorded events ---------------------------------------------------------------------------------------------------

_SHELLS = {
    "claude": "Bash", "codex": "Bash", "gemini": "run_shell_command", "kiro": "execute_bash", "opencode": "bash",
    "copilot": "run_in_terminal", "cursor": "Shell",
}  # fmt: skip
_WRITES: Mapping[str, tuple[str, tuple[str, str]]] = {
    "claude": ("Write", ("file_path", "content")), "gemini": ("write_file", ("file_path", "content")),
    "kiro": ("fs_write", ("path", "file_text")), "opencode": ("write", ("filePath", "content")),
    "copilot": ("create_file", ("filePath", "content")), "cursor": ("Write", ("file_path", "content")),
}  # fmt: skip
"""By client: the tool that writes a file, and how it calls path and text."""


def sample(client: str, hook: Hook, canary: str, cwd: Path) -> dict[str, Any]:
    """Return an event as the client sends it, with the canary where the hook has to see it. May write a file into `cwd`."""
    event: dict[str, Any] = {"session_id": "doctor", "cwd": str(cwd), "hook_event_name": hook.event}
    output: Any = f"token={canary}\n"
    if hook.kind == "prompt":
        return {**event, "prompt": f"Use this token: {canary}"}
    if hook.kind == "after":
        if client == "claude":
            output = {"stdout": output, "stderr": "", "interrupted": False, "isImage": False}
        if client == "gemini":
            output = {"llmContent": output, "returnDisplay": output}
        return {
            **event,
            "tool_name": _SHELLS[client],
            "tool_input": {"command": "make report"},
            "tool_response": output,
        }
    text = f"TOKEN = '{canary}'\n"
    match hook.event:
        case "beforeShellExecution":
            return {**event, "command": f'echo "{text.strip()}" > settings.py'}
        case "beforeReadFile":
            (cwd / "seen.py").write_text(text, encoding="utf-8")
            return {**event, "file_path": str(cwd / "seen.py"), "content": text}
        case _ if client == "codex":
            patch = f"*** Begin Patch\n*** Add File: settings.py\n+{text}*** End Patch\n"
            return {**event, "tool_name": "apply_patch", "tool_input": {"command": patch}}
        case _:
            tool, (path, content) = _WRITES[client]
            arguments = {path: str(cwd / "settings.py"), content: text}
            if client == "kiro":
                arguments["command"] = "create"
            return {**event, "tool_name": tool, "tool_input": arguments}
