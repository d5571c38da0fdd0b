"""`locum agent install` and `uninstall` on a temporary home: what they ask, write, show, leave alone and put back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from locum.agents.install import CLIENTS, Options
from locum.agents.install.launch import Launch
from support.home import Home, canary
from support.tokens import github_token

ALL = tuple(CLIENTS)


@pytest.fixture
def place(home: Home) -> Home:
    """Give a home in which nothing of the person's own is reached: HOME is temporary too."""
    person = home.path.parent / "person"
    person.mkdir()
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME", "GEMINI_CLI_HOME"):
        home.env.pop(name, None)
    home.env["HOME"] = str(person)
    subprocess.run(["git", "init", "-q"], cwd=home.project, check=True)
    return home


def agent(place: Home, *words: str, check: int = 0) -> str:
    done = place.run("agent", *words, check=check)
    return done.stdout + done.stderr


def tree(*folders: Path) -> dict[str, bytes]:
    """Return every file below the folders, git's own left out."""
    return {
        str(path): path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }


def person(place: Home) -> Path:
    return Path(place.env["HOME"])


@pytest.mark.parametrize("scope", ["project", "user"])
@pytest.mark.parametrize("client", ALL)
def test_done_twice_it_changes_nothing_and_undone_nothing_is_left(place: Home, client: str, scope: str) -> None:
    folders = place.project, person(place)
    assert "written:" in agent(place, "install", client, "--scope", scope, "--instructions", "--yes")
    made = tree(*folders)
    assert made
    assert all(path.startswith(str(place.project if scope == "project" else person(place))) for path in made)
    assert (
        agent(place, "install", client, "--scope", scope, "--instructions", "--yes") == "Everything is there already.\n"
    )
    assert tree(*folders) == made
    agent(place, "uninstall", client, "--scope", scope, "--yes")
    assert tree(*folders) == {}
    assert agent(place, "uninstall", client, "--scope", scope, "--yes") == "There is nothing of Locum's.\n"


THERE = {
    ".claude/settings.json": '{"permissions": {"allow": ["Bash(ls:*)"], "deny": ["Read(**/.env)"]}}\n',
    ".mcp.json": '{\n    "mcpServers": {\n        "a": {"command": "npx", "args": ["-y", "a"]}\n    }\n}\n',
    ".cursor/hooks.json": '{"version": 1, "hooks": {"stop": [{"command": "./mine.sh"}]}}',
    ".cursor/mcp.json": '{"mcpServers": {}}',
    ".cursorignore": "*.log",
    ".kiro/settings/mcp.json": '{\r\n\t"mcpServers": {}\r\n}\r\n',
    ".vscode/mcp.json": '{\n  // ours\n  "servers": {\n    "a": {"url": "https://a.example"}, // remote\n  },\n}\n',
    ".codex/config.toml": '# mine\nmodel = "x"\n\n[mcp_servers.a]\ncommand = "npx"',
    ".gemini/settings.json": "{}",
    "opencode.json": '{\n  "$schema": "https://opencode.ai/config.json",\n  "permission": "ask"\n}\n',
    "AGENTS.md": "# Rules\n\nBe brief.",
    "CLAUDE.md": "Be brief.\n",
}


def test_what_others_wrote_stays_and_comes_back_byte_for_byte(place: Home) -> None:
    for name, text in THERE.items():
        path = place.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    before = tree(place.project)
    agent(place, "install", *ALL, "--instructions", "--yes")
    made = tree(place.project)
    assert all(made[path] != data for path, data in before.items())
    assert "./mine.sh" in (place.project / ".cursor/hooks.json").read_text()
    copies = [path for path in (place.path / "state/agents").iterdir() if path.read_bytes() in before.values()]
    assert len(copies) == len(before)
    assert all(path.stat().st_mode & 0o077 == 0 for path in copies)
    agent(place, "install", *ALL, "--instructions", "--yes")
    assert tree(place.project) == made
    agent(place, "uninstall", *ALL, "--yes")
    assert tree(place.project) == before


@pytest.mark.parametrize("client", ALL)
def test_only_events_are_asked_for_that_the_adapter_judges(client: str) -> None:
    known = import_module(f"locum.agents.hooks.clients.{client}").EVENTS
    text = "\n".join(
        part.put("", Launch("/x/locum")) for part in CLIENTS[client].parts("project", Options(kiro_agents=("a",)))
    )
    named = {name for name in known if f'"{name}"' in text}
    assert {known[name] for name in named} >= {"start", "prompt", "before", "after"}
    assert "other" not in {known[name] for name in named}


def test_the_line_survives_a_path_with_spaces(place: Home, tmp_path: Path) -> None:
    program = tmp_path / "it's a folder" / "locum"
    program.parent.mkdir()
    real = shutil.which("locum", path=place.env["PATH"])
    assert real
    program.symlink_to(real)
    subprocess.run(
        [program, "agent", "install", "claude", "kiro", "--yes"], cwd=place.project, env=place.env, check=True
    )
    settings = json.loads((place.project / ".claude/settings.json").read_text())
    line = settings["hooks"]["PreToolUse"][0]["hooks"][0]["command"]
    assert str(program.parent) in line.replace("'\"'\"'", "'")
    (place.project / ".env").write_text(f"GITHUB_TOKEN={github_token()}\n")
    event = {
        "hook_event_name": "PreToolUse",
        "cwd": str(place.project),
        "tool_name": "Bash",
        "tool_input": {"command": "cat .env"},
    }
    done = subprocess.run(
        ["sh", "-c", line], input=json.dumps(event), capture_output=True, text=True, env=place.env, cwd=place.project
    )
    assert "locum fix" in done.stdout + done.stderr


def test_a_person_is_asked_and_no_is_the_default(place: Home) -> None:
    terminal = place.terminal("agent", "install", "claude")
    assert '+            "command"' in terminal.wait_for("Write this? [y/N]")
    terminal.type("\n")
    terminal.wait_for("Nothing was changed.")
    assert tree(place.project) == {}
    terminal = place.terminal("agent", "install", "claude")
    terminal.wait_for("Write this? [y/N]")
    terminal.type("y\n")
    terminal.wait_for("written: .mcp.json")


def test_without_a_terminal_nobody_is_taken_to_have_said_yes(place: Home) -> None:
    assert "nobody to ask" in agent(place, "install", "claude", check=2)
    agent(place, "install", "claude", "--dry-run")
    assert tree(place.project, person(place)) == {}


def test_no_value_of_somebody_elses_settings_is_shown_or_copied(place: Home) -> None:
    token, other = github_token(), canary(16)
    servers = {"a": {"command": "npx", "env": {"GITHUB_TOKEN": token, "X": other}, "args": [f"--x={other}"]}}
    (place.project / ".mcp.json").write_text(json.dumps({"mcpServers": servers}))
    (place.project / ".vscode").mkdir()
    (place.project / ".vscode/mcp.json").write_text(json.dumps({"servers": servers}, indent=2))
    (place.project / ".codex").mkdir()
    (place.project / ".codex/config.toml").write_text(f'[mcp_servers.a.env]\nT = "{token}"\nX = "{other}"')
    (place.project / ".claude").mkdir()
    (place.project / ".claude/settings.json").write_text(f'{{"env": {{"T": "{token}"}}}}')
    said = agent(place, "install", *ALL, "--dry-run") + agent(place, "install", *ALL, "--yes")
    assert "no copy was kept" in said
    said += agent(place, "uninstall", *ALL, "--dry-run") + agent(place, "uninstall", *ALL, "--yes")
    for value in (token, other):
        assert value not in said
        assert value[:8] not in said
    assert token.encode() not in place.everything_written()


BROKEN = {
    "no JSON": (".mcp.json", '{"mcpServers": {'),
    "a list": (".claude/settings.json", "[]"),
    "no TOML": (".codex/config.toml", "model = "),
    "somebody's server": (".gemini/settings.json", '{"mcpServers": {"locum": {"command": "other"}}}'),
    "not UTF-8": (".cursorignore", b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_cannot_be_understood_stops_it_before_anything_is_written(place: Home, case: str) -> None:
    name, text = BROKEN[case]
    value = canary()
    path = place.project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((text if isinstance(text, bytes) else text.encode()) + f" {value}".encode() * (case == "no JSON"))
    before = tree(place.project, person(place))
    said = agent(place, "install", *ALL, "--yes", check=2)
    assert "nothing was written" in said
    assert value not in said
    assert tree(place.project, person(place)) == before


def test_a_link_leads_nowhere(place: Home, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (place.project / ".kiro").symlink_to(outside)
    agent(place, "install", "claude", "kiro", "--yes", check=2)
    assert tree(outside, place.project) == {}
    (place.project / ".kiro").unlink()
    (outside / "settings.json").write_text("{}")
    (place.project / ".mcp.json").symlink_to(outside / "settings.json")
    assert "is a link" in agent(place, "install", "claude", "--yes", check=2)
    assert (outside / "settings.json").read_text() == "{}"


def test_what_cannot_be_written_to_the_end_is_put_back(place: Home) -> None:
    (place.project / ".mcp.json").write_text('{"mcpServers": {"a": {}}}')
    (place.project / ".kiro").mkdir()
    (place.project / ".kiro/hooks").write_text("a file where a folder should be")
    before = tree(place.project)
    agent(place, "install", "claude", "kiro", "--yes", check=2)
    assert tree(place.project) == before


def test_those_that_are_here_are_found(place: Home, tmp_path: Path) -> None:
    place.env["PATH"] = str(tmp_path / "empty")
    assert "no AI client" in agent(place, "install", "all-found", "--yes", check=2)
    (person(place) / ".codex").mkdir()
    (place.project / ".cursor").mkdir()
    said = agent(place, "install", "all-found", "--dry-run")
    assert ".codex/hooks.json" in said
    assert ".cursor/hooks.json" in said
    assert ".claude" not in said


def test_files_that_a_team_shares_name_no_path(place: Home) -> None:
    agent(place, "install", *ALL, "--portable", "--yes")
    assert all(b"/bin/locum" not in data for data in tree(place.project).values())
    agent(place, "uninstall", *ALL, "--yes")
    assert tree(place.project) == {}


def test_an_agent_of_kiros_is_a_name_and_no_path(place: Home) -> None:
    agent(place, "install", "kiro", "--kiro-agent", "../x", "--yes", check=2)
    agents = place.project / ".kiro/agents"
    agents.mkdir(parents=True)
    (agents / "dev.json").write_text('{"name": "dev"}\n')
    agent(place, "install", "kiro", "--kiro-agent", "dev", "--yes")
    assert set(json.loads((agents / "dev.json").read_text())["hooks"]) == {
        "agentSpawn", "userPromptSubmit", "preToolUse", "postToolUse",
    }  # fmt: skip
    agent(place, "uninstall", "kiro", "--yes")
    assert (agents / "dev.json").read_text() == '{"name": "dev"}\n'


def test_variables_of_clients_say_where_their_files_are(place: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    place.env |= {"CODEX_HOME": str(elsewhere / "codex"), "CLAUDE_CONFIG_DIR": str(elsewhere / "claude")}
    agent(place, "install", "codex", "claude", "--scope", "user", "--yes")
    assert {os.path.relpath(path, elsewhere) for path in tree(elsewhere)} == {
        "codex/hooks.json", "codex/config.toml", "claude/settings.json", "claude/.claude.json",
    }  # fmt: skip
    assert tree(person(place)) == {}
