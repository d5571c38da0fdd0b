"""The clients: which files of each hold what of ours. Data, one function a client; each says where its format was looked up.

"Run" means that the real program of that version read what we write, and did what it says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

from locum.agents.ignore_files import CLIENTS as IGNORING
from locum.agents.ignore_files import READABLE, SECRET_FILES, deny_rules, with_rules, without_rules
from locum.agents.install import texts
from locum.agents.install.features import Denied, Hook, Hooks, Server, Unclaimed, Version
from locum.agents.install.launch import Launch, Shell
from locum.agents.install.part import Part, block, owned, settings
from locum.agents.install.places import Scope
from locum.agents.install.toml_table import with_table, without_table

PATIENCE = 15
"""Seconds that a client waits for a hook. Ours answers in a fraction of one; a machine that just woke up does not."""
PATIENCE_OF_PROMPTS = 60
"""The same before a prompt is sent: a person may be asked whether to keep a value that they pasted (`hooks.caller`)."""
_PROMPTS = frozenset(("UserPromptSubmit", "userPromptSubmit", "BeforeAgent", "beforeSubmitPrompt"))


def _patience(event: str) -> int:
    return PATIENCE_OF_PROMPTS if event in _PROMPTS else PATIENCE


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may ask for beside the usual."""

    instructions: bool = False
    """Rules in the file that the client reads into each conversation (Kiro's steering file is written always)."""
    kiro_agents: tuple[str, ...] = ()
    """Names of agents of Kiro CLI 2.x, whose hooks are in the agent's own file."""


@dataclass(frozen=True, slots=True)
class Client:
    """One client. `found_by` are its programs and, as (folder, name), what it leaves on a disk."""

    name: str
    parts: Callable[[Scope, Options], list[Part]]
    programs: tuple[str, ...]
    traces: tuple[tuple[str, str], ...]
    then: str
    """What the person still has to do, or can do beside it."""


def _grouped(
    client: str, events: Sequence[tuple[str, str | None]], unit: int = 1, **more: Any
) -> Callable[[Launch], list[Hook]]:
    """Return entries as Claude Code began them: `hooks.EVENT[].{matcher, hooks[]}`. A second is `unit` of a time-out."""

    def hooks(launch: Launch) -> list[Hook]:
        made: list[Hook] = []
        for event, matcher in events:
            handler: dict[str, Any] = {
                "type": "command",
                "command": launch.line(client, _SHELLS.get(client, "powershell")),
            }
            waits = 3 if (client, event) == ("codex", "SessionEnd") else _patience(event)  # its own limit
            handler |= {"timeout": waits * unit} | more
            if client == "claude":
                if launch.windows:
                    handler["shell"] = "powershell"
                if event in {"PreToolUse", "UserPromptSubmit"}:
                    handler["onFailure"] = "block"
            entry: dict[str, Any] = {} if matcher is None else {"matcher": matcher}
            made.append(Hook(("hooks", event), {**entry, "hooks": [handler]}))
        return made

    return hooks


_SHELLS: dict[str, Shell] = {"codex": "cmd", "kiro": "cmd"}
"""What reads a hook's line on Windows, where it is not PowerShell. Not run there."""


def _server(launch: Launch, **more: Any) -> dict[str, Any]:
    return {**more, "command": launch.program, "args": ["mcp"]}


def _ignore(name: str, root: str = "project", path: str = "") -> Part:
    row = IGNORING[name]
    return Part(
        root, (path or row.path,), lambda text, _: with_rules(row, text), lambda text, _: without_rules(text), ""
    )


def _told(root: str, name: str) -> Part:
    return block(root, name, texts.MARKS, texts.lines())


def _claude(scope: Scope, options: Options) -> list[Part]:
    # code.claude.com/docs/en/hooks, /settings, /mcp (November 2026). Run with 2.1.330: events, `Read(./**/…)`, blocking;
    # `onFailure` is of 2.1.295. A line, not `args`: VS Code and Copilot CLI read this file too, and take `command` alone.
    events = [
        ("SessionStart", None),
        ("UserPromptSubmit", None),
        ("PreToolUse", "*"),
        ("PostToolUse", "*"),
        ("SessionEnd", None),
    ]
    user = scope == "user"

    def denied(launch: Launch) -> list[str]:
        private = [f"Read(/{folder}/**)" for folder in launch.private] if user else []
        return [*(rule.replace("(**/", "(./**/") for rule in deny_rules()), *private]

    root, folder = ("claude", "") if user else ("project", ".claude/")
    parts = [
        settings(root, (f"{folder}settings.json",), Hooks("claude", _grouped("claude", events)), Denied(denied)),
        settings(
            "claude-state" if user else "project", (".claude.json" if user else ".mcp.json",),
            Server(("mcpServers", "locum"), partial(_server, type="stdio")),
        ),
    ]  # fmt: skip
    return [*parts, _told(root, "CLAUDE.md")] if options.instructions else parts


def _kiro(scope: Scope, options: Options) -> list[Part]:
    # kiro.dev/docs/hooks, /cli/v3/hooks, /steering, /mcp/configuration, /powers/create, /kiroignore; kirodotdev/powers
    # (November 2026). Neither IDE nor CLI was run. No trigger says that a session ends: `Stop` is the end of a turn.
    root, folder = ("kiro", "") if scope == "user" else ("project", ".kiro/")

    def server(launch: Launch) -> dict[str, Any]:
        return {**_server(launch), "disabled": False, "autoApprove": list(texts.READ_ONLY_TOOLS)}

    def hooks(launch: Launch) -> str:
        triggers = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse")
        action = {"type": "command", "command": launch.line("kiro", _SHELLS["kiro"])}
        entries = [
            {
                "name": f"locum-{trigger}",
                "trigger": trigger,
                "action": action,
                "timeout": _patience(trigger),
                "enabled": True,
            }
            for trigger in triggers
        ]
        return _json({"version": "v1", "hooks": entries})

    parts = [
        owned(root, f"{folder}steering/locum.md", lambda _: texts.steering()),
        owned(root, f"{folder}hooks/locum.json", hooks),
        settings(root, (f"{folder}settings/mcp.json",), Server(("mcpServers", "locum"), server)),
        _ignore("kiro", "kiro", "settings/kiroignore") if scope == "user" else _ignore("kiro"),
    ]
    if scope == "project":
        parts += [
            owned(root, ".kiro/powers/locum/POWER.md", lambda _: texts.power()),
            owned(root, ".kiro/powers/locum/mcp.json", texts.power_servers),
        ]
    return [*parts, *(_kiro_agent(root, f"{folder}agents/{name}.json") for name in options.kiro_agents)]


def _kiro_agent(root: str, path: str) -> Part:
    # kiro.dev/docs/cli/hooks (2.x): the times are milliseconds, and a matcher goes with tools only.
    events = [
        ("agentSpawn", False),
        ("userPromptSubmit", False),
        ("preToolUse", True),
        ("postToolUse", True),
    ]

    def hooks(launch: Launch) -> list[Hook]:
        line = launch.line("kiro", _SHELLS["kiro"])
        return [
            Hook(
                ("hooks", event),
                {**({"matcher": "*"} if tool else {}), "command": line, "timeout_ms": _patience(event) * 1000},
            )
            for event, tool in events
        ]

    return settings(root, (path,), Hooks("kiro", hooks))


def _cursor(scope: Scope, options: Options) -> list[Part]:
    # cursor.com/docs/agent/hooks, /docs/mcp, /docs/context/ignore-files, /docs/rules (November 2026). Not run.
    root, folder = ("cursor", "") if scope == "user" else ("project", ".cursor/")
    guards = ("beforeSubmitPrompt", "preToolUse", "beforeShellExecution", "beforeMCPExecution", "beforeReadFile")
    reports = ("sessionStart", "postToolUse", "sessionEnd")

    def hooks(launch: Launch) -> list[Hook]:
        line = launch.line("cursor")
        return [
            Hook(
                ("hooks", event),
                {"command": line, "timeout": _patience(event), **({"failClosed": True} if event in guards else {})},
            )
            for event in (*guards, *reports)
        ]

    parts = [
        settings(root, (f"{folder}hooks.json",), Version(1), Hooks("cursor", hooks)),
        settings(root, (f"{folder}mcp.json",), Server(("mcpServers", "locum"), _server)),
    ]
    if scope == "project":
        parts.append(_ignore("cursor"))
        if options.instructions:
            parts.append(owned("project", ".cursor/rules/locum.mdc", lambda _: texts.cursor_rule()))
    return parts


def _copilot(scope: Scope, options: Options) -> list[Part]:
    # docs.github.com/en/copilot/reference/hooks-reference; code.visualstudio.com/docs/agents/reference/hooks-reference and
    # /docs/copilot/reference/mcp-configuration (November 2026). Names in PascalCase and `timeout` are what both read.
    # Hooks not run.
    events = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "SessionEnd")

    def hooks(launch: Launch) -> str:
        handler = {"type": "command", "command": launch.line("copilot")}
        return _json({"version": 1, "hooks": {event: [{**handler, "timeout": _patience(event)}] for event in events}})

    if scope == "user":
        return [
            owned("copilot", "hooks/locum.json", hooks),
            settings(
                "copilot", ("mcp-config.json",),
                Server(("mcpServers", "locum"), lambda launch: {**_server(launch, type="local"), "tools": ["*"]}),
            ),
            settings("code", ("mcp.json",), Server(("servers", "locum"), partial(_server, type="stdio"))),
        ]  # fmt: skip
    parts = [
        owned("project", ".github/hooks/locum.json", hooks),
        settings("project", (".vscode/mcp.json",), Server(("servers", "locum"), partial(_server, type="stdio"))),
    ]
    return [*parts, _told("project", ".github/copilot-instructions.md")] if options.instructions else parts


def _codex(scope: Scope, options: Options) -> list[Part]:
    # developers.openai.com/codex/hooks, /codex/mcp, /codex/config-reference (November 2026). Run with 0.169.0.
    # `hooks.json` takes `hooks` and `description` only. A `Stop` ends a turn, not a session.
    events = [
        ("SessionStart", None),
        ("UserPromptSubmit", None),
        ("PreToolUse", None),
        ("PostToolUse", None),
        ("SessionEnd", None),
    ]
    root, folder = ("codex", "") if scope == "user" else ("project", ".codex/")
    name, table = f"{folder}config.toml", ("mcp_servers", "locum")

    def put(text: str, launch: Launch) -> str:
        command = json.dumps(launch.program, ensure_ascii=False)  # its basic strings take JSON's escapes
        return with_table(text, table, [("command", command), ("args", '["mcp"]')], name)

    parts = [
        settings(root, (f"{folder}hooks.json",), Hooks("codex", _grouped("codex", events))),
        Part(root, (name,), put, lambda text, _: without_table(text, table, name), ""),
    ]
    return [*parts, _told(root, "AGENTS.md")] if options.instructions else parts


def _gemini(scope: Scope, options: Options) -> list[Part]:
    # geminicli.com/docs/hooks/reference, /docs/tools/mcp-server, /docs/cli/gemini-ignore (November 2026). Run with 0.61.0.
    # Its time-outs are milliseconds.
    events = [
        ("SessionStart", None),
        ("BeforeAgent", None),
        ("BeforeTool", "*"),
        ("AfterTool", "*"),
        ("SessionEnd", None),
    ]
    root, folder = ("gemini", "") if scope == "user" else ("project", ".gemini/")
    parts = [
        settings(
            root, (f"{folder}settings.json",), Hooks("gemini", _grouped("gemini", events, 1000, name="locum")),
            Server(("mcpServers", "locum"), _server),
        )
    ]  # fmt: skip
    if scope == "project":
        parts.append(_ignore("gemini"))
    return [*parts, _told(root, "GEMINI.md")] if options.instructions else parts


def _opencode(scope: Scope, options: Options) -> list[Part]:
    # opencode.ai/docs/plugins, /docs/mcp-servers, /docs/permissions (November 2026). Run with 1.18.33.
    # Of rules that match, the last counts; `*` takes `/` too.
    root, folder = ("opencode", "") if scope == "user" else ("project", ".opencode/")
    denied = {f"*{pattern.removeprefix('*')}": "deny" for pattern in SECRET_FILES}
    allowed = {form: "allow" for word in READABLE for form in (f"*.{word}", f"*{word}.env", f"*.{word}.tfvars")}
    config = () if scope == "user" else (".opencode/opencode.jsonc", ".opencode/opencode.json")

    def server(launch: Launch) -> dict[str, Any]:
        return {"type": "local", "command": [launch.program, "mcp"], "enabled": True}

    def plugin(launch: Launch) -> str:
        text = files("locum.agents.install").joinpath("opencode_plugin.js").read_text("utf-8")
        return text.replace('"@LOCUM@"', json.dumps(launch.program))

    parts = [
        owned(root, f"{folder}plugins/locum.js", plugin),
        settings(
            root, ("opencode.json", "opencode.jsonc", *config),
            Server(("mcp", "locum"), server), Unclaimed(("permission", "read"), {**denied, **allowed}),
        ),
    ]  # fmt: skip
    return [*parts, _told(root, "AGENTS.md")] if options.instructions else parts


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


CLIENTS = {
    "claude": Client(
        "Claude Code", _claude, ("claude",), (("project", ".claude"), ("claude", ".")),
        "Start it anew. Its sandbox ('/sandbox') makes the denied paths hold for its shell as well.",
    ),
    "kiro": Client(
        "Kiro", _kiro, ("kiro", "kiro-cli"), (("project", ".kiro"), ("kiro", ".")),
        "Reload its window. Powers > Add Custom Power > from a folder takes .kiro/powers/locum. What flags plaintext as you "
        "type is the extension: kiro --install-extension locum.vsix.",
    ),
    "cursor": Client(
        "Cursor", _cursor, ("cursor", "cursor-agent"), (("project", ".cursor"), ("cursor", ".")),
        "Cursor Settings > Hooks lists them; MCP servers are switched on in its settings.",
    ),
    "copilot": Client(
        "VS Code and Copilot CLI", _copilot, ("code", "copilot"), (("project", ".vscode"), ("copilot", "."), ("code", ".")),
        "In VS Code 'Chat: Configure Hooks' lists them; the cloud agent has no Locum, so keep these files out of its branches.",
    ),
    "codex": Client(
        "Codex", _codex, ("codex",), (("project", ".codex"), ("codex", ".")),
        "Codex runs hooks that you have looked at: type /hooks in it. A project's .codex counts once the project is trusted. "
        "Keep sandbox_mode at workspace-write: what runs in it reaches neither Locum's broker nor the network.",
    ),
    "gemini": Client(
        "Gemini CLI", _gemini, ("gemini",), (("project", ".gemini"), ("gemini", ".")),
        "A project's settings count once the folder is trusted. security.environmentVariableRedaction.enabled keeps variables "
        "that look secret from its shell.",
    ),
    "opencode": Client(
        "opencode", _opencode, ("opencode",), (("project", "opencode.json"), ("project", ".opencode"), ("opencode", ".")),
        "Start it anew: it reads plugins at its start.",
    ),
}  # fmt: skip
