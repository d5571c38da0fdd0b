"""`locum mask`: run a command and take secrets out of what it prints."""

from __future__ import annotations

import click


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", metavar="[--] CMD...", nargs=-1, type=click.UNPROCESSED, required=True)
def mask(command: tuple[str, ...]) -> int:
    """Run CMD and take plaintext secrets out of its output.

    What the vault has becomes a reference, anything else that looks like a secret a mark. CMD gets no secret by this; use
    'locum run' for that. Output is not a terminal's: CMD writes into pipes.
    """
    from locum.agents.hooks.caller import name_in_vault
    from locum.agents.masking import run_masked

    return run_masked(command, name_in_vault)
