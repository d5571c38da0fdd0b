"""`locum mcp`: tools for AI agents, over MCP on standard input and output."""

from __future__ import annotations

from pathlib import Path

import click

from locum.errors import Unavailable


@click.command()
@click.option(
    "--root", "roots", multiple=True, type=click.Path(file_okay=False, path_type=Path),
    help="A folder that agents may name files and run tasks in; links are followed first. Repeatable.  [default: here]",
)  # fmt: skip
def mcp(roots: tuple[Path, ...]) -> int:
    """Let an AI agent use this project's secrets and never see them. An MCP client starts this.

    Names and references go to the agent, values never. What runs with a secret is asked about in your editor, or allowed by
    `locum policy allow` before.
    """
    try:
        from locum.agents.mcp.server import run_server
    except ImportError as problem:
        if problem.name is None or problem.name.partition(".")[0] == "locum":
            raise
        raise Unavailable(
            "unavailable.mcp", f"{problem.name} is not installed", "pip install --upgrade locum"
        ) from None
    return run_server(roots or (Path(),))
