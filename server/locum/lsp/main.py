"""Start the language server: load the protocol quickly, serve, leave."""

from __future__ import annotations

import os

from locum.lsp.warmup import load


def main() -> None:
    """Serve one client over standard input and output; ends the process."""
    load()
    from locum.lsp.server import run

    os._exit(run())  # threads that wait for a broker or a keyring must not keep a finished server alive
