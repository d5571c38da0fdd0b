"""The `locum` command: a table of commands that are imported only when they are called.

Exit codes (`errors.py`): 0 clean, 1 findings or the task said no, 2 usage or configuration, 3 locked or denied.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import ClassVar

import click

from locum import __version__
from locum.errors import LocumError

COMMANDS: dict[str, tuple[str, str]] = {
    # name: ("module:attribute", "one line of help", which stands here so that `locum --help` imports no command)
    "tour": ("locum.cli.tour:tour", "see the main job on a sample project, in a minute"),
    "scan": ("locum.cli.scan:scan", "find plaintext secrets in files"),
    "fix": ("locum.cli.fix:fix", "move plaintext secrets of files into the vault"),
    "check": ("locum.cli.check:check", "which secrets this project needs, and which you lack"),
    "explain": ("locum.cli.explain:explain", "what a rule finds, and how to rotate such a secret"),
    "lsp": ("locum.cli.lsp:lsp", "the language server, for editors"),
    "run": ("locum.cli.run:run", "run a task that may use secrets, under a lease"),
    "sandbox": ("locum.cli.sandbox:sandbox", "run an AI agent where it cannot reach your secrets"),
    "hook": ("locum.cli.hook:hook", "answer an AI client's hook; see 'locum agent install'"),
    "mask": ("locum.cli.mask:mask", "run a command with secrets taken out of its output"),
    "mcp": ("locum.cli.mcp:mcp", "tools for AI agents that use secrets and never see them, over MCP"),
    "bridge": ("locum.cli.bridge:bridge", "a remote MCP server as a local one, under 'locum run'"),
    "agent": ("locum.cli.agent:agent", "set up AI clients; what is protected there, and what agents did"),
    "secret": ("locum.cli.secret:secret", "store and list secrets"),
    "vault": ("locum.cli.vault:vault", "make, unlock and lock the local vault"),
    "policy": ("locum.cli.policy:policy", "what runs without a question, and why"),
    "lease": ("locum.cli.lease:lease", "see and end live leases"),
    "audit": ("locum.cli.audit:audit", "read and check the record"),
    "broker": ("locum.cli.broker:broker", "the process that holds keys and leases"),
    "init": ("locum.cli.init:init", "propose a locum.toml; set up an editor or AI agents"),
}


class LazyGroup(click.Group):
    """A group whose commands are named in a table like `COMMANDS`."""

    table: ClassVar = COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in self.table:
            return None
        module, attribute = self.table[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="locum")
def cli() -> None:
    """Keep secrets out of code, prompts and agent transcripts."""


def main() -> None:
    """Run a command; turn errors into one or two lines on stderr and an exit code, and never a traceback."""
    try:
        code = cli.main(prog_name="locum", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except LocumError as error:
        click.echo(f"locum: {error.explain()}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("locum: stopped", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader left; Python must not complain about it at exit
        sys.exit(1)
