"""opencode's plugin, run by a real JavaScript engine: what it hands to `locum hook`, what it makes of the answer, and of none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from locum.agents.install import CLIENTS, Options
from locum.agents.install.launch import Launch

_RUN = """
import { Locum } from %s
const [hook, input, output] = JSON.parse(process.argv[2])
const hooks = await Locum({ directory: "/p" })
let thrown = ""
try { for (const one of [].concat(input)) await hooks[hook](one, output) } catch (error) { thrown = error.message }
if (hook === "event") await hooks.dispose()
console.log(JSON.stringify({ thrown, output }))
"""
BASH = {"tool": "bash", "sessionID": "s", "callID": "c"}


@pytest.fixture
def engine() -> str:
    node = shutil.which("node")
    if node is None:
        if os.environ.get("LOCUM_REQUIRE_BED"):
            pytest.fail("there is no node")
        pytest.skip("there is no node")
    return node


def run(
    folder: Path, engine: str, answer: str, hook: str, event: Any, output: Any, mode: int = 0o755
) -> tuple[dict[str, Any], list[Any]]:
    """Run one hook with a `locum` that says `answer`; return what came of it, and the events that it was handed."""
    folder = folder / "a folder"
    folder.mkdir()
    program, seen = folder / "locum", folder / "seen"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(seen)!r}, 'a').write(sys.stdin.read() + '\\n')\n{answer}\n"
    )
    program.chmod(mode)
    plugin = next(part for part in CLIENTS["opencode"].parts("project", Options()) if part.names[0].endswith(".js"))
    (folder / "locum.mjs").write_text(plugin.put("", Launch(str(program))))
    (folder / "run.mjs").write_text(_RUN % json.dumps(str(folder / "locum.mjs")))
    done = subprocess.run(
        [engine, str(folder / "run.mjs"), json.dumps([hook, event, output])],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout), [
        json.loads(line) for line in seen.read_text().splitlines()
    ] if seen.exists() else []


def says(verdict: dict[str, Any]) -> str:
    return f"print({json.dumps(verdict)!r})"


ALLOW = says({"decision": "allow"})
CRASH, NOISE = "sys.exit(1)", "print('Traceback')"
BEFORE, AFTER = "tool.execute.before", "tool.execute.after"
CASES = {
    # what is answered, hook, input, output → thrown, output afterwards
    "allowed": (ALLOW, BEFORE, BASH, {"args": {"command": "ls"}}, "", {"args": {"command": "ls"}}),
    "denied": (says({"decision": "deny", "reason": "no: do x"}), BEFORE, BASH, {"args": {"command": "ls"}}, "no: do x", None),
    "rewritten": (
        says({"decision": "allow", "updatedInput": {"command": "new"}}), BEFORE, BASH, {"args": {"command": "ls", "timeout": 1}},
        "", {"args": {"command": "new"}},
    ),
    "no answer for a shell": (CRASH, BEFORE, BASH, {"args": {}}, "Locum could not check this: it ended with 1", None),
    "no answer for a write": (NOISE, BEFORE, {**BASH, "tool": "write"}, {"args": {}}, "Locum could not check this", None),
    "no answer for a reader": (CRASH, BEFORE, {**BASH, "tool": "list"}, {"args": {"path": "."}}, "", {"args": {"path": "."}}),
    "output replaced": (
        says({"decision": "allow", "updatedOutput": "locum://A"}), AFTER, {**BASH, "args": {}},
        {"output": "v", "metadata": {"output": "v", "exit": 0}}, "", {"output": "locum://A", "metadata": {"output": "locum://A", "exit": 0}},
    ),
    "output of an MCP tool replaced": (
        says({"decision": "allow", "updatedOutput": "locum://A"}), AFTER, {**BASH, "args": {}},
        {"content": [{"type": "text", "text": "v"}, {"type": "image"}]}, "", {"content": [{"type": "text", "text": "locum://A"}, {"type": "image"}]},
    ),
    "output kept back": (
        says({"decision": "deny", "reason": "kept back"}), AFTER, {**BASH, "args": {}}, {"output": "v"}, "", {"output": "kept back"},
    ),
    "prompt denied": (
        says({"decision": "deny", "reason": "a token"}), "chat.message", {"sessionID": "s"}, {"parts": [{"type": "text", "text": "t"}]},
        "a token", None,
    ),
    "prompt without an answer": (
        CRASH, "chat.message", {"sessionID": "s"}, {"parts": [{"type": "text", "text": "t"}]}, "", {"parts": [{"type": "text", "text": "t"}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_the_plugin_makes_of_an_answer(tmp_path: Path, engine: str, case: str) -> None:
    answer, hook, event, output, thrown, after = CASES[case]
    came, _ = run(tmp_path, engine, answer, hook, event, output)
    assert came["thrown"].startswith(thrown)
    assert bool(came["thrown"]) == bool(thrown)
    assert after is None or came["output"] == after


def test_what_locum_is_handed(tmp_path: Path, engine: str) -> None:
    _, seen = run(tmp_path, engine, ALLOW, AFTER, {**BASH, "args": {"command": "ls"}}, {"output": "a\nb"})
    assert seen == [
        {"hook_event_name": AFTER, "session_id": "s", "cwd": "/p", "tool_name": "bash", "tool_input": {"command": "ls"}, "tool_response": "a\nb"}
    ]  # fmt: skip


def test_a_session_begins_and_ends_once(tmp_path: Path, engine: str) -> None:
    def event(kind: str, name: str) -> dict[str, Any]:
        return {"event": {"type": kind, "properties": {"info": {"id": name}}}}

    events = [
        event("session.created", "a"),
        event("session.created", "b"),
        event("session.deleted", "a"),
        event("session.updated", "b"),
    ]
    _, seen = run(tmp_path, engine, ALLOW, "event", events, {})
    assert [(one["hook_event_name"], one["session_id"]) for one in seen] == [
        ("session.start", "a"), ("session.start", "b"), ("session.end", "a"), ("session.end", "b"),
    ]  # fmt: skip


def test_silence_is_no_yes(tmp_path: Path, engine: str) -> None:
    came, _ = run(tmp_path, engine, "", BEFORE, BASH, {"args": {}})
    assert "its answer is no verdict" in came["thrown"]


def test_a_program_that_cannot_be_started_is_no_yes(tmp_path: Path, engine: str) -> None:
    came, seen = run(tmp_path, engine, ALLOW, BEFORE, BASH, {"args": {}}, mode=0o644)
    assert "Locum could not check this: EACCES" in came["thrown"]
    assert seen == []
