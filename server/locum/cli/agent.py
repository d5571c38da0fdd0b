"""`locum agent`: setting up AI clients. A table of commands that are imported when they are called."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS: dict[str, tuple[str, str]] = {
    # as in `cli.main`
    "install": ("locum.cli.agent_install:install", "hooks, MCP server, ignore files and deny lists of AI clients"),
    "uninstall": ("locum.cli.agent_install:uninstall", "take them out again"),
    "mcp": ("locum.cli.agent_mcp:mcp", "find plaintext secrets in MCP clients' settings, and move them"),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_LazyGroup)
def agent() -> None:
    """Set up AI clients, so that agents use secrets and never see them."""
