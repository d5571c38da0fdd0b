"""Where MCP clients keep their servers on this machine: the files, and the places in them, that `locum agent mcp` looks at.

What each client expands, and how a finding in it is fixed, is `rewrite`'s to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from locum.rewrite.idioms.json_reader import JsonProblem, read
from locum.rewrite.idioms.mcp_clients import find_map
from locum.rewrite.idioms.settings_text import from_json, from_toml

# (folder as in `places`, path). Looked up in November 2026 in each client's page on MCP servers.
FILES = (
    ("project", ".mcp.json"),  # Claude Code
    ("project", ".claude/settings.json"),
    ("project", ".claude/settings.local.json"),
    ("project", ".vscode/mcp.json"),  # VS Code
    ("project", ".vscode/settings.json"),
    ("project", ".cursor/mcp.json"),
    ("project", ".kiro/settings/mcp.json"),
    ("project", ".kiro/agents/*.json"),
    ("project", ".kiro/powers/*/mcp.json"),
    ("project", ".gemini/settings.json"),
    ("project", ".codex/config.toml"),
    ("project", "opencode.json"),
    ("project", "opencode.jsonc"),
    ("project", ".opencode/opencode.json"),
    ("project", ".opencode/opencode.jsonc"),
    ("project", ".roo/mcp.json"),
    ("project", ".zed/settings.json"),
    ("claude-state", ".claude.json"),
    ("claude", "settings.json"),
    ("codex", "config.toml"),
    ("gemini", "settings.json"),
    ("kiro", "settings/mcp.json"),
    ("kiro", "agents/*.json"),
    ("kiro", "powers/*/mcp.json"),
    ("cursor", "mcp.json"),
    ("copilot", "mcp-config.json"),
    ("code", "mcp.json"),
    ("code", "settings.json"),
    ("code", "globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"),
    ("code", "globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"),
    ("opencode", "opencode.json"),
    ("opencode", "opencode.jsonc"),
    ("applications", "Claude/claude_desktop_config.json"),
    ("config", "zed/settings.json"),
    ("home", ".codeium/windsurf/mcp_config.json"),
)


def mcp_files(folders: Mapping[str, Path]) -> Iterator[Path]:
    """Yield those that are there, in the order of the table, each once. Blocks."""
    seen: set[Path] = set()
    for root, name in FILES:
        folder = folders[root]
        for path in sorted(folder.glob(name)) if "*" in name else [folder / name]:
            if path not in seen and path.is_file():
                seen.add(path)
                yield path


def server_places(text: str, path: str) -> list[tuple[int, int]] | None:
    """Return where strings stand that belong to MCP servers, in code points; None for a text that cannot be read.

    A client keeps more than servers in such a file: its history, its own keys. `path` is as its client knows it, with `/`.
    """
    try:
        root = from_toml(text)[0] if path.lower().endswith(".toml") else from_json(text, read(text))
    except (JsonProblem, ValueError, RecursionError):
        return None
    return [(leaf.start, leaf.end) for way, leaf in root.leaves() if find_map(path, way) is not None]
