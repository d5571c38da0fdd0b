"""`locum agent`: AI clients: set up, looked at, and what they did. Its commands are imported one at a time."""

from __future__ import annotations

from typing import ClassVar

import click

from locum.cli.main import LazyGroup


class _AgentGroup(LazyGroup):
    """The commands of `locum agent`."""

    table: ClassVar[dict[str, tuple[str, str]]] = {
        "install": ("locum.cli.agent_install:install", "hooks, MCP server, ignore files and deny lists of AI clients"),
        "uninstall": ("locum.cli.agent_install:uninstall", "take them out again"),
        "doctor": ("locum.cli.agent_doctor:doctor", "what is protected in a client, as seen in the client"),
        "mcp": ("locum.cli.agent_mcp:mcp", "find plaintext secrets in MCP clients' settings, and move them"),
        "sessions": ("locum.cli.agent_sessions:sessions", "the agents' sessions of the last 30 days"),
        "report": ("locum.cli.agent_sessions:report", "what a session touched: secrets, files, plaintext, leases"),
        "end": ("locum.cli.agent_sessions:end", "end a session and its leases"),
    }


@click.group(cls=_AgentGroup)
def agent() -> None:
    """Set up AI clients, so that agents use secrets and never see them; see what is protected, and what they did."""
