"""`locum agent`: AI agents and what they did here. Its commands are imported one at a time."""

from __future__ import annotations

from typing import ClassVar

import click

from locum.cli.main import LazyGroup


class _AgentGroup(LazyGroup):
    """The commands of `locum agent`."""

    table: ClassVar[dict[str, tuple[str, str]]] = {
        "sessions": ("locum.cli.agent_sessions:sessions", "the agents' sessions of the last 30 days"),
        "report": ("locum.cli.agent_sessions:report", "what a session touched: secrets, files, plaintext, leases"),
        "end": ("locum.cli.agent_sessions:end", "end a session and its leases"),
    }


@click.group(cls=_AgentGroup)
def agent() -> None:
    """AI agents: what protects your secrets from them, and what they did."""
