"""The doctor's pure parts: canaries are seen again in every form, hooks are found in every format, and nothing shown is no proof."""

from __future__ import annotations

import base64
import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.agents.doctor import places, probes
from locum.agents.doctor.canary import Transcript, make_canary
from locum.agents.doctor.dialects import CHAT, GENERATE, MESSAGES, RESPONSES, Call, dialect_of
from locum.agents.doctor.probes import Outcome
from locum.agents.doctor.real import CLAUDE
from locum.agents.hooks.looking import Looker

FORMS: dict[str, Callable[[str, int], str]] = {
    "raw": lambda value, shift: "x" * shift + value,
    "base64": lambda value, shift: base64.b64encode(("x" * shift + value).encode()).decode(),
    "base64 in lines": lambda value, shift: "\n".join(
        textwrap.wrap(base64.b64encode(("y" * (60 + shift) + value).encode()).decode(), 76)
    ),
    "hex": lambda value, shift: ("x" * shift + value).encode().hex(),
    "od": lambda value, shift: ("x" * shift + value).encode().hex(" "),
    "URL": lambda value, shift: quote("ü" * shift + value, safe=""),
    "percent": lambda value, shift: "".join(f"%{byte:02x}" for byte in ("x" * shift + value).encode()),
    "a half": lambda value, shift: value[: 22 + shift],
}


@pytest.mark.parametrize("form", FORMS)
@given(shift=st.integers(0, 8), deep=st.booleans())
def test_a_canary_is_seen_in_every_form(form: str, shift: int, deep: bool) -> None:
    canary = make_canary()
    text = FORMS[form](canary, shift)
    body = {"messages": [{"content": json.dumps({"stdout": text}) if deep else text}]}
    assert Transcript([json.dumps(body).encode()]).shows(canary)
    assert not Transcript([json.dumps(body).encode()]).shows(make_canary())


def test_what_is_no_json_is_looked_at_too() -> None:
    canary = make_canary()
    assert Transcript([b"\xff" + canary.encode()]).shows(canary)


def test_the_engine_takes_a_canary_for_a_token(tmp_path: Path) -> None:
    (found,) = Looker(tmp_path).in_text(f"TOKEN = '{make_canary()}'\n")
    assert (found.rule, found.generic) == ("github-pat", False)


LINE = "/opt/my\\ tools/locum hook {}"
FILES = {
    "claude": (".claude/settings.json", {"hooks": {"PreToolUse": [{"matcher": "*", "hooks": [{"type": "command", "command": "@", "timeout": 9}]}]}}, 9),
    "gemini": (".gemini/settings.json", {"hooks": {"BeforeTool": [{"hooks": [{"command": "@", "timeout": 9000}]}]}}, 9),
    "codex": (".codex/hooks.json", {"hooks": {"PreToolUse": [{"hooks": [{"command": "@"}]}]}}, 0),
    "cursor": (".cursor/hooks.json", {"version": 1, "hooks": {"beforeShellExecution": [{"command": "@", "timeout": 9}]}}, 9),
    "copilot": (".github/hooks/a.json", {"version": 1, "hooks": {"preToolUse": [{"type": "command", "bash": "@", "timeoutSec": 9}]}}, 9),
    "kiro": (".kiro/hooks/a.json", {"hooks": [{"name": "PostToolUse", "trigger": "PreToolUse", "action": {"command": "@"}, "timeout": 9}]}, 0),
}  # fmt: skip


@pytest.mark.parametrize("client", FILES)
def test_hooks_are_found_in_each_clients_format(client: str, tmp_path: Path) -> None:
    name, content, timeout = FILES[client]
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    line = LINE.format(client)
    path.write_text("// a comment\n" + json.dumps(content).replace('"@"', json.dumps(line)))
    (hook,) = places.find(client, tmp_path / "nobody", tmp_path).hooks
    assert (hook.kind, hook.command, hook.file, hook.timeout) == ("before", line, path, timeout)
    path.write_text(json.dumps(content).replace('"@"', '"other hook"'))
    assert not places.find(client, tmp_path, tmp_path).hooks


def test_hooks_are_found_in_toml_and_in_a_plugin(tmp_path: Path) -> None:
    config, plugin = tmp_path / ".codex/config.toml", tmp_path / ".opencode/plugins/locum.js"
    for path in (config, plugin):
        path.parent.mkdir(parents=True)
    config.write_text("[[hooks.PreToolUse]]\n[[hooks.PreToolUse.hooks]]\ncommand = 'locum hook codex'\n")
    assert [hook.kind for hook in places.find("codex", tmp_path, tmp_path).hooks] == ["before"]
    plugin.write_text(
        'const LOCUM = "/opt/my tools/locum"\nspawn(LOCUM, ["hook", "opencode"])\n"tool.execute.after": ask\n'
    )
    (hook,) = places.find("opencode", tmp_path, tmp_path).hooks
    assert (hook.kind, hook.command) == ("after", "'/opt/my tools/locum' hook opencode")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\xff"])
def test_a_broken_file_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / ".claude/settings.json"
    path.parent.mkdir()
    path.write_text(text, encoding="latin-1")
    assert places.find("claude", tmp_path, tmp_path).broken == (path,)


def judged(plan: probes.Plan, shown: Callable[[probes.Try], str], disk: Callable[[probes.Try], str]) -> list[Outcome]:
    results = [shown(one) for one in plan.tries]
    on_disk = {one.target: disk(one) for one in plan.tries if one.target}
    return probes.outcomes(plan, results, Transcript([json.dumps(results).encode()]), on_disk)


def test_outcomes(tmp_path: Path) -> None:
    plan = probes.make_plan(CLAUDE.hand, tmp_path)

    def harmless(one: probes.Try) -> str:
        return one.canary if one.control else "no"

    def everything(one: probes.Try) -> str:
        return one.canary

    assert {one.level for one in judged(plan, harmless, harmless)} == {"PROTECTED"}
    assert {one.level for one in judged(plan, everything, everything)} == {"UNPROTECTED"}
    dead = judged(plan, lambda _: "no such tool", lambda _: "")
    assert {one.level for one in dead} == {None}, "a tool that does not work protects nobody"
    assert not [one for one in probes.outcomes(plan, [], Transcript([]), {}) if one.level is not None]


TURNS = {
    "/v1/messages": (MESSAGES, {"tools": [{}], "messages": [{"content": [{"type": "tool_result", "content": "seen"}]}]}),
    "/v1/responses": (RESPONSES, {"tools": [{}], "input": [{"type": "function_call_output", "output": "seen"}]}),
    "/v1/chat/completions": (CHAT, {"tools": [{}], "messages": [{"role": "tool", "content": "seen"}]}),
    "/v1beta/models/m:streamGenerateContent?alt=sse": (
        GENERATE,
        {"tools": [{"functionDeclarations": [{}]}], "contents": [{"parts": [{"functionResponse": {"response": "seen"}}]}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", TURNS)
def test_each_dialect_reads_results_and_makes_calls(path: str) -> None:
    dialect, body = TURNS[path]
    assert dialect_of(path) is dialect
    assert dialect.has_tools(body)
    assert dialect.results(body) == ["seen"]
    _, answer = dialect.answer(body | {"stream": True}, Call("look", {"at": "a\nb"}), 1)
    assert b"look" in answer
    assert dialect.results({}) == []
    assert not dialect.has_tools({"tools": "x"} if dialect is GENERATE else {})
