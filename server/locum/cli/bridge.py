"""`locum bridge`: a remote MCP server as a local one, for clients that start servers by a command."""

from __future__ import annotations

import os

import click

from locum.agents.bridge_target import bridge_target
from locum.broker.harden import hide_memory
from locum.errors import Unavailable


@click.command()
@click.argument("url")
@click.option(
    "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Sent with every request. Repeatable."
)
def bridge(url: str, headers: tuple[str, ...]) -> int:
    """Speak MCP on standard input and output, and Streamable HTTP (or its forerunner, HTTP+SSE) with the server at URL.

    locum://NAME in URL and headers is the value of the environment variable NAME, which 'locum run' sets:

    \b
    locum run --secret NAME -- locum bridge URL --header 'Authorization: Bearer locum://NAME'

    Where more text follows, braces end the name: https://host/{locum://NAME}/mcp. ${NAME} means the same, but not
    in the settings of a client that expands it itself: the value would be an argument, which every process can see.
    """
    hide_memory()  # what stands in our environment is for the server alone
    target = bridge_target(url, headers, os.environb)
    try:
        from locum.agents.bridge import run_bridge
    except ImportError as problem:
        if problem.name is None or problem.name.partition(".")[0] == "locum":
            raise
        message = f"the bridge needs {problem.name}, which is not installed"
        raise Unavailable("unavailable.mcp", message, "Install it: pip install 'locum[mcp]'") from None
    return run_bridge(target)
