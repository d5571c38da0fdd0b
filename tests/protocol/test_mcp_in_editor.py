"""MCP configurations in the editor: what would reach a server unexpanded is told, and never what stands around it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.home import Home
from support.lsp import PULL, PUSH, Client


@pytest.fixture(params=["push", "pull"])
def client(request: pytest.FixtureRequest, vault_home: Home) -> Iterator[Client]:
    made = Client(vault_home, PUSH if request.param == "push" else PULL)
    yield made
    assert made.close() == 0
    assert made.errors == b""


def test_an_unexpanded_variable_is_told_and_taken_back(client: Client) -> None:
    text = '{"mcpServers": {"😋": {"command": "x", "env": {"A": "😋 ${tulip}", "B": "locum://TULIP"}}}}'
    uri = client.open(".cursor/mcp.json", text, "json")
    said = {
        client.text_at(uri, item["range"]): item
        for item in client.diagnostics(uri)
        if item["code"] == "unexpanded-variable"
    }
    assert set(said) == {"${tulip}", "locum://TULIP"}
    assert said["${tulip}"]["message"] == "Cursor does not expand this: it expands ${env:NAME} here."
    assert said["${tulip}"]["severity"] == 2
    client.change(uri, text=text.replace("${tulip}", "${env:tulip}").replace("locum://TULIP", "x"))
    assert client.diagnostics(uri) == []


def test_codex_is_read_too(client: Client) -> None:
    uri = client.open(".codex/config.toml", '[mcp_servers.x]\ncommand = "x"\nargs = ["$TULIP"]\n', "toml")
    (said,) = client.diagnostics(uri)
    assert client.text_at(uri, said["range"]) == "$TULIP"
    assert "Codex" in said["message"]
    assert "TULIP" not in said["message"]
