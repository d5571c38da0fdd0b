"""The real AI clients for tests: their programs on PATH, and Locum's hooks in a home of a test's own."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bed.install import bed_root
from support.bed import ROOT, need_bed
from support.codex_trust import trust

REAL = ("claude", "codex", "gemini", "opencode")

_EVENTS: Mapping[str, tuple[str, ...]] = {
    "claude": ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "SessionEnd"),
    "codex": ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse"),
    "gemini": ("SessionStart", "BeforeAgent", "BeforeTool", "AfterTool", "SessionEnd"),
    "copilot": ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse"),
    "kiro": ("UserPromptSubmit", "PreToolUse", "PostToolUse"),
    "cursor": ("beforeSubmitPrompt", "preToolUse", "beforeReadFile", "postToolUse"),
}
_FILES = {
    "claude": ".claude/settings.json", "codex": ".codex/hooks.json", "gemini": ".gemini/settings.json",
    "copilot": ".copilot/hooks/locum.json", "kiro": ".kiro/hooks/locum.json", "cursor": ".cursor/hooks.json",
}  # fmt: skip
_PLUGIN = """import { spawnSync } from "child_process"
const ask = (event) => {
  const done = spawnSync("sh", ["-c", LINE], { input: JSON.stringify(event), encoding: "utf8" })
  if (done.status !== 0) throw new Error("the hook failed")
  return JSON.parse(done.stdout)
}
const refuse = (answer) => { if (answer.decision === "deny") throw new Error(answer.reason); return answer }
export const Locum = async ({ directory }) => ({
  "tool.execute.before": async (input, output) => {
    const answer = refuse(ask({ hook_event_name: "tool.execute.before", session_id: input.sessionID, cwd: directory,
      tool_name: input.tool, tool_input: output.args }))
    Object.assign(output.args, answer.updatedInput ?? {})
  },
  "tool.execute.after": async (input, output) => {
    const answer = ask({ hook_event_name: "tool.execute.after", session_id: input.sessionID, cwd: directory,
      tool_name: input.tool, tool_input: input.args, tool_response: output.output })
    if (answer.updatedOutput !== undefined) output.output = answer.updatedOutput
  },
  "chat.message": async (input, output) => {
    refuse(ask({ hook_event_name: "chat.message", session_id: input.sessionID, cwd: directory,
      prompt: output.parts.map((part) => part.text ?? "").join("\\n") }))
  },
})
"""


class Bench:
    """A home and a project of a person who uses AI clients. Not under the system's temporary folder: Codex wants none there."""

    def __init__(self, root: Path) -> None:
        bed = need_bed()
        self.home, self.project, self.tmp, programs = (root / name for name in ("home", "project", "tmp", "bin"))
        for folder in (self.home, self.project, self.tmp, programs):
            folder.mkdir()
        for name in REAL:
            (programs / name).symlink_to(getattr(bed, name))
        (programs / "node").symlink_to(bed.node24)
        locum = programs / "locum"
        locum.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT / "server"}" exec "{sys.executable}" -m locum "$@"\n')
        locum.chmod(0o755)
        self.path = f"{programs}:/usr/bin:/bin"
        self.variables = {
            "PATH": self.path, "HOME": str(self.home), "TMPDIR": str(self.tmp), "LANG": "C.UTF-8",
            "LOCUM_HOME": str(self.home / ".locum"),
        }  # fmt: skip
        self.locum = str(locum)

    def hooks(self, client: str, line: str = "", **more: Any) -> Path:
        """Write a client's hooks as its documentation says, with `line` for each event (Locum's, when it is ""); return the file."""
        line = line or f"{self.locum} hook {client}"
        if client == "opencode":
            # Left to itself it asks before it reads a .env file, and where nobody answers it ends.
            self._write(
                ".config/opencode/opencode.json", '{"permission": {"read": "allow", "external_directory": "allow"}}'
            )
            return self._write(".config/opencode/plugin/locum.js", _PLUGIN.replace("LINE", json.dumps(line)))
        entry = {"type": "command", "command": line, **more}
        if client == "kiro":
            made: Any = {
                "version": "v1",
                "hooks": [{"name": event, "trigger": event, "action": entry} for event in _EVENTS[client]],
            }
        elif client in {"cursor", "copilot"}:
            made = {"version": 1, "hooks": {event: [entry] for event in _EVENTS[client]}}
        else:
            made = {"hooks": {event: [{"matcher": "*", "hooks": [entry]}] for event in _EVENTS[client]}}
        path = self._write(_FILES[client], json.dumps(made))
        if client == "codex":
            trust(need_bed().codex, self.home, self.project, self.variables)
        return path

    def _write(self, name: str, text: str) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@contextmanager
def bench() -> Iterator[Bench]:
    """Give a bench that is gone afterwards."""
    bed_root().mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="run-", dir=bed_root()))
    try:
        yield Bench(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
