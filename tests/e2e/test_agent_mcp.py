"""`locum agent mcp`: plaintext in MCP clients' settings is found and moved; nothing else of these files is touched."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from support.home import Home
from support.tokens import github_token


def stdio(token: str) -> dict[str, object]:
    return {"command": "npx", "args": ["-y", "server"], "env": {"GITHUB_TOKEN": token}}


def remote(token: str) -> dict[str, object]:
    return {"url": "https://api.example.com/mcp", "headers": {"Authorization": f"Bearer {token}"}}


OWN = {
    ".claude.json": lambda token: {
        "mcpServers": {"a": stdio(token)},
        "projects": {"/p": {"mcpServers": {"b": remote(token)}}},
    },
    ".gemini/settings.json": lambda token: {"mcpServers": {"a": stdio(token)}},
    ".kiro/settings/mcp.json": lambda token: {"mcpServers": {"a": remote(token)}},
    ".cursor/mcp.json": lambda token: {"mcpServers": {"a": stdio(token), "b": remote(token)}},
    ".copilot/mcp-config.json": lambda token: {"mcpServers": {"a": {"type": "local", **stdio(token), "tools": ["*"]}}},
    ".config/Code/User/mcp.json": lambda token: {"servers": {"a": stdio(token)}},
    ".config/opencode/opencode.json": lambda token: {
        "mcp": {"a": {"type": "local", "command": ["npx", "server"], "environment": {"GITHUB_TOKEN": token}}}
    },
}
SHARED = {".mcp.json": "mcpServers", ".vscode/mcp.json": "servers", ".roo/mcp.json": "mcpServers"}


@pytest.fixture
def place(vault_home: Home) -> Home:
    own = vault_home.path.parent / "person"
    own.mkdir()
    vault_home.env["HOME"] = str(own)
    vault_home.env.pop("XDG_CONFIG_HOME", None)
    return vault_home


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_every_clients_servers_are_found_and_fixed(place: Home) -> None:
    token, own = github_token(), Path(place.env["HOME"])
    files = [write(own / name, json.dumps(made(token), indent=2)) for name, made in OWN.items()]
    files += [write(place.project / name, json.dumps({key: {"a": stdio(token)}})) for name, key in SHARED.items()]
    codex = write(
        own / ".codex/config.toml", f'[mcp_servers.a]\ncommand = "npx"\nenv = {{ GITHUB_TOKEN = "{token}" }}\n'
    )
    looked = place.run("agent", "mcp", check=1)
    assert "Nothing is changed yet. With --fix" in looked.stdout
    assert all(path.name in looked.stdout for path in (*files, codex))
    assert token not in looked.stdout + looked.stderr
    assert all(token in path.read_text() for path in (*files, codex))
    assert "nobody to ask" in place.run("agent", "mcp", "--fix", check=2).stderr
    done = place.run("agent", "mcp", "--fix", "--all")
    assert token not in done.stdout + done.stderr
    for path in files:
        text = path.read_text()
        assert token not in text
        assert "locum://GITHUB_TOKEN" in text
        assert '"run"' in text
        json.loads(text)
    assert token not in codex.read_text()
    assert tomllib.loads(codex.read_text())["mcp_servers"]["a"]["command"] == "locum"
    assert place.run("agent", "mcp").stdout == "No secrets in plain text.\n"
    assert not list(own.rglob("locum.toml"))
    assert "GITHUB_TOKEN" in (place.project / "locum.toml").read_text()


def test_what_is_no_server_is_not_its_business(place: Home) -> None:
    token, own = github_token(), Path(place.env["HOME"])
    text = json.dumps({"history": [f"use {token}"], "mcpServers": {"a": {"command": "npx"}}})
    path = write(own / ".claude.json", text)
    assert place.run("agent", "mcp").stdout == "No secrets in plain text.\n"
    assert path.read_text() == text


def test_values_beside_the_server_are_not_shown(place: Home) -> None:
    token, other, own = github_token(), github_token(), Path(place.env["HOME"])
    write(own / ".claude.json", json.dumps({"history": [other], "mcpServers": {"a": stdio(token)}}))
    looked = place.run("agent", "mcp", check=1)
    assert token not in looked.stdout + looked.stderr
    assert other not in looked.stdout + looked.stderr


def test_json_for_machines(place: Home) -> None:
    token, own = github_token(), Path(place.env["HOME"])
    write(own / ".cursor/mcp.json", json.dumps({"mcpServers": {"a": stdio(token)}}))
    done = place.run("agent", "mcp", "--format", "json", check=1)
    assert json.loads(done.stdout)["moved"][0]["name"] == "GITHUB_TOKEN"
    assert token not in done.stdout
