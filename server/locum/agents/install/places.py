"""Where clients keep their files on this machine: the folders that the rows of `clients` and `mcp_files` speak of.

Pure: told the home, the project, the variables and the system.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

Scope = Literal["project", "user"]


def folders(project: Path, home: Path, env: Mapping[str, str], system: str) -> dict[str, Path]:
    """Return each folder by its name. `system` is `sys.platform`. Variables are those that each client documents."""
    config = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
    if system == "win32":
        applications = Path(env.get("APPDATA") or home / "AppData/Roaming")
    elif system == "darwin":
        applications = home / "Library/Application Support"
    else:
        applications = config
    claude = Path(env.get("CLAUDE_CONFIG_DIR") or home / ".claude")
    return {
        "project": project,
        "home": home,
        "claude": claude,
        "claude-state": claude if env.get("CLAUDE_CONFIG_DIR") else home,
        "codex": Path(env.get("CODEX_HOME") or home / ".codex"),
        "copilot": Path(env.get("COPILOT_HOME") or home / ".copilot"),
        "gemini": Path(env.get("GEMINI_CLI_HOME") or home) / ".gemini",
        "kiro": home / ".kiro",
        "cursor": home / ".cursor",
        "opencode": config / "opencode",
        "config": config,
        "applications": applications,
        "code": applications / "Code/User",
    }
