"""`locum lsp`: the language server, over standard input and output."""

from __future__ import annotations

import click


@click.command()
@click.option("--stdio", is_flag=True, help="Speak over standard input and output (the only way there is).")
def lsp(stdio: bool) -> None:  # noqa: ARG001 - the flag that editors pass; there is no other transport
    """Serve an editor. Editors start this; see `locum init`."""
    from locum.lsp.main import main

    main()
