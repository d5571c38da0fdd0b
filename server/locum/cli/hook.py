"""`locum hook`: answered before the command-line library is loaded (`__main__`); here for `locum --help`."""

from __future__ import annotations

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", metavar="CLIENT [--event NAME]", nargs=-1, type=click.UNPROCESSED)
def hook(arguments: tuple[str, ...]) -> int:
    """Answer one hook event of an AI client: its JSON on standard input, the verdict as the client wants it."""
    from locum.agents.hooks.quick import main

    return main(list(arguments))
