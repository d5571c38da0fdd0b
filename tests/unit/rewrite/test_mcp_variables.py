"""Per client: what reaches an MCP server as it stands in the configuration, marked « », and what is said of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from locum.rewrite.idioms.mcp_variables import unexpanded

_CASE = re.compile(r"^=== ([^\n|]*)\| ([^\n]*)\n(.*?)\n(?:--- ([^\n]*)\n)?\n(?=(?:===|\Z))", re.MULTILINE | re.DOTALL)
CASES = _CASE.findall((Path(__file__).parent / "cases" / "mcp_variables.cases").read_text())


@pytest.mark.parametrize(("title", "path", "marked", "says"), CASES, ids=lambda value: value[:50])
def test_case(title: str, path: str, marked: str, says: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    found = list(unexpanded(text, path.strip()))
    shown = text
    for item in sorted(found, key=lambda item: -item.start):
        shown = f"{shown[: item.start]}«{shown[item.start : item.end]}»{shown[item.end :]}"
    assert shown == marked
    assert bool(found) == bool(says)
    for item in found:
        assert says in item.message
        assert "TULIP" not in item.message


def test_the_table_is_read_whole() -> None:
    text = (Path(__file__).parent / "cases" / "mcp_variables.cases").read_text()
    assert len(CASES) == text.count("\n=== ") + text.startswith("=== ")


@pytest.mark.parametrize("text", ["", "{", '{"mcpServers": 1}', '{"mcpServers": {"x": 1}}', '{"mcpServers": {"x": {"args": 1}}}',
                                  '{"mcpServers": [{"command": ["$A"]}]}', "[" * 500])  # fmt: skip
def test_other_texts_are_left_alone(text: str) -> None:
    assert list(unexpanded(text, "claude_desktop_config.json")) == []
    assert list(unexpanded(text, "a.toml")) == []
