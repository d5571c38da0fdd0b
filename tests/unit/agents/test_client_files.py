"""What is put into clients' files, and that it goes out again: golden texts, and properties over files of any shape."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.agents import jsonc
from locum.agents.hooks.caller import WAIT_FOR_PERSON
from locum.agents.install import CLIENTS, Options, texts
from locum.agents.install.clients import PATIENCE, PATIENCE_OF_PROMPTS
from locum.agents.install.features import Hook, Hooks, Server
from locum.agents.install.launch import Launch, Shell
from locum.agents.install.part import Part
from locum.agents.mcp.tools import TOOLS
from locum.errors import UsageProblem
from locum.rewrite.idioms.json_reader import read
from support.odd_json import objects

LAUNCH = Launch("/opt/a b/locum", private=("/home/me/.local/share/locum",))
NAMES = [
    "hooks",
    "PreToolUse",
    "SessionStart",
    "preToolUse",
    "mcpServers",
    "servers",
    "mcp",
    "permissions",
    "deny",
    "read",
]


def parts() -> list[tuple[str, Part]]:
    """Return every file of every client."""
    options = Options(instructions=True, kiro_agents=("dev",))
    return [
        (f"{name}-{scope}-{part.names[0]}", part)
        for name, client in CLIENTS.items()
        for scope in ("project", "user")
        for part in client.parts(scope, options)
    ]


EVERY = parts()
JSON = [(name, part) for name, part in EVERY if part.syntax == "json"]


@pytest.mark.parametrize("part", [part for _, part in EVERY], ids=[name for name, _ in EVERY])
def test_a_file_that_was_not_there_is_gone_again(part: Part) -> None:
    made = part.put("", LAUNCH)
    assert part.put(made, LAUNCH) == made
    assert part.take(made, LAUNCH) == ""


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(JSON), objects(NAMES))
def test_what_was_put_into_json_goes_out_again_and_all_else_stays(chosen: tuple[str, Part], text: str) -> None:
    _, part = chosen
    try:
        made = part.put(text, LAUNCH)
    except UsageProblem:  # somebody's `hooks` is no object: nothing of it is touched
        return
    before, after = jsonc.values(text), jsonc.values(made)
    assert part.put(made, LAUNCH) == made
    assert part.take(made, LAUNCH) == text
    assert _holds(after, before)
    read(made)


def _holds(after: object, before: object) -> bool:
    """Say whether everything of `before` is in `after`, in its order."""
    if isinstance(before, dict) and isinstance(after, dict):
        kept = [key for key in after if key in before]
        return kept == list(before) and all(_holds(after[key], before[key]) for key in before)
    if isinstance(before, list) and isinstance(after, list):
        return after[: len(before)] == before
    return after == before


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([(name, part) for name, part in EVERY if part.syntax != "json" and len(part.names) == 1]),
    st.lists(st.sampled_from(["# a", "*.log", "x", "", "## Title", "  y"]), max_size=6), st.sampled_from(["\n", "\r\n"]), st.booleans(),
)  # fmt: skip
def test_what_was_put_into_lines_goes_out_again(
    chosen: tuple[str, Part], lines: list[str], newline: str, ended: bool
) -> None:
    name, part = chosen
    if name.endswith((".toml", "locum.md", "locum.mdc", "locum.json", "locum.js", "POWER.md", "powers/locum/mcp.json")):
        return
    text = newline.join(lines) + (newline if ended and lines else "")
    made = part.put(text, LAUNCH)
    assert part.put(made, LAUNCH) == made
    assert part.take(made, LAUNCH) == text
    assert made.startswith(text)


CODEX = next(part for name, part in EVERY if name == "codex-user-config.toml")
_TABLES = st.lists(
    st.sampled_from(
        ['model = "x"', "[tools]\nweb = true", "# a remark", '[mcp_servers.other]\ncommand = "npx"\nargs = [\n  "-y",\n]',
         '[[hooks.PreToolUse]]\n[[hooks.PreToolUse.hooks]]\ntype = "command"', "", "[a.\"b c\"]\nd = '''\n[mcp_servers.locum]\n'''"]
    ),
    max_size=5, unique=True,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(_TABLES, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\n", "\n\n"]))
def test_what_was_put_into_toml_goes_out_again(tables: list[str], newline: str, end: str) -> None:
    tables.sort(key=lambda table: "[" in table)  # a key stands before the tables
    text = ("\n".join(tables) + end if tables else "").replace("\n", newline)
    made = CODEX.put(text, LAUNCH)
    known = tomllib.loads(made.replace("\r\n", "\n"))
    assert known["mcp_servers"]["locum"] == {"command": LAUNCH.program, "args": ["mcp"]}
    assert CODEX.put(made, LAUNCH) == made
    assert CODEX.take(made, LAUNCH) == text


def test_a_table_that_its_client_wrote_behind_ours_stays() -> None:
    made = CODEX.put('model = "x"\n', LAUNCH) + '\n[hooks.state]\n"/a:pre_tool_use:0:0" = { trusted_hash = "h" }\n'
    assert CODEX.take(made, LAUNCH) == 'model = "x"\n\n[hooks.state]\n"/a:pre_tool_use:0:0" = { trusted_hash = "h" }\n'


@pytest.mark.parametrize("text", ['mcp_servers = { a = { command = "x" } }\n', "[mcp_servers\n", "a = 1\na = 2\n"])
def test_toml_to_which_nothing_can_be_added_is_left_alone(text: str) -> None:
    with pytest.raises(UsageProblem, match="nothing was written"):
        CODEX.put(text, LAUNCH)


HOOKS = Hooks("claude", lambda launch: [Hook(("hooks", "Pre"), {"hooks": [{"command": launch.line("claude")}]})])
SERVER = Server(("mcpServers", "locum"), lambda launch: {"command": launch.program, "args": ["mcp"]})
SHORT = Launch("/l/locum")
OLD = '{ "command": "/old/bin/locum hook claude" }'
GOLDEN = {
    "new file": (HOOKS, "", '{\n  "hooks": {\n    "Pre": [\n      {\n        "hooks": [\n          {\n            "command": "/l/locum hook claude"\n          }\n        ]\n      }\n    ]\n  }\n}\n'),
    "server beside another": (
        SERVER,
        '{\n\t"mcpServers": {\n\t\t"a": {} // mine\n\t}\n}\n',
        '{\n\t"mcpServers": {\n\t\t"a": {}, // mine\n\t\t"locum": {\n\t\t\t"command": "/l/locum",\n\t\t\t"args": [\n\t\t\t\t"mcp"\n\t\t\t]\n\t\t}\n\t}\n}\n',
    ),
    "one line": (SERVER, '{"mcpServers":{"a":{}}}', '{"mcpServers":{"a":{}, "locum": { "command": "/l/locum", "args": [ "mcp" ] }}}'),
    "renewed": (
        HOOKS,
        '{"hooks": {"Pre": [{"hooks": [' + OLD + ']}, {"hooks": [{"command": "mine"}]}]}}',
        '{"hooks": {"Pre": [{"hooks": [{"command": "mine"}]}, { "hooks": [ { "command": "/l/locum hook claude" } ] }]}}',
    ),
    "somebody else's in our group stays": (
        HOOKS,
        '{"hooks": {"Pre": [{"hooks": [{"command": "mine"}, ' + OLD + "]}]}}",
        '{"hooks": {"Pre": [{"hooks": [{"command": "mine"}]}, { "hooks": [ { "command": "/l/locum hook claude" } ] }]}}',
    ),
    "what people changed beside the command stays": (
        SERVER,
        '{"mcpServers": {"locum": {"command": "/old/locum", "args": ["mcp"], "disabled": true}}}',
        '{"mcpServers": {"locum": {\n  "command": "/l/locum",\n  "args": [\n    "mcp"\n  ],\n  "disabled": true\n}}}',
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GOLDEN)
def test_golden(case: str) -> None:
    feature, before, after = GOLDEN[case]
    assert feature.put(before, SHORT) == after


def test_a_server_of_somebody_else_with_our_name_is_left_alone() -> None:
    with pytest.raises(UsageProblem, match="no 'locum mcp'"):
        SERVER.put('{"mcpServers": {"locum": {"command": "other"}}}', SHORT)
    assert (
        SERVER.take('{"mcpServers": {"locum": {"command": "other"}}}', SHORT)
        == '{"mcpServers": {"locum": {"command": "other"}}}'
    )


@pytest.mark.parametrize("text", ["{", '{"a": }', "[]", '{"hooks": []}', '{"hooks": {"PreToolUse": {}}}', "null"])
def test_json_that_its_client_would_not_read_is_left_alone(text: str) -> None:
    part = next(part for name, part in EVERY if name == "claude-project-.claude/settings.json")
    with pytest.raises(UsageProblem, match="nothing was written"):
        part.put(text, LAUNCH)


LINES: dict[str, tuple[Launch, Shell, str]] = {
    "posix": (Launch("/usr/bin/locum"), "powershell", "/usr/bin/locum hook x"),
    "posix, spaces and quotes": (Launch("/a b/it's/locum"), "powershell", "'/a b/it'\"'\"'s/locum' hook x"),
    "windows, nothing to quote": (Launch(r"C:\py\Scripts\locum.exe", windows=True), "cmd", "C:/py/Scripts/locum.exe hook x"),
    "windows, cmd": (Launch(r"C:\a b\locum.exe", windows=True), "cmd", r'"C:\a b\locum.exe" hook x'),
    "windows, PowerShell": (Launch(r"C:\a b\it's\locum.exe", windows=True), "powershell", "& 'C:/a b/it''s/locum.exe' hook x"),
}  # fmt: skip


@pytest.mark.parametrize("case", LINES)
def test_a_line_for_the_clients_shell_is_known_again(case: str) -> None:
    launch, shell, wanted = LINES[case]
    line = launch.line("x", shell)
    assert line == wanted
    text = jsonc.append("", ("hooks", "e"), {"command": line})
    assert Hooks("x", lambda _: ()).take(text, launch) == ""


def test_only_tools_that_change_nothing_are_approved_beforehand() -> None:
    part = next(part for name, part in EVERY if name == "kiro-project-.kiro/settings/mcp.json")
    approved = json.loads(part.put("", LAUNCH))["mcpServers"]["locum"]["autoApprove"]
    assert set(approved) == {tool.name for tool in TOOLS if tool.reads_only}


def test_the_rules_name_tools_that_there_are() -> None:
    named = set(re.findall(r"`([a-z]+_[a-z]+)`", texts.power()))
    assert named
    assert named <= {tool.name for tool in TOOLS}


def test_a_prompt_waits_for_a_person_longer_than_the_hook_does() -> None:
    assert PATIENCE < WAIT_FOR_PERSON < PATIENCE_OF_PROMPTS
