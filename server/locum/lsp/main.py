"""Start the language server: load the protocol quickly, serve, leave."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from locum.lsp.warmup import load


def main() -> None:
    """Serve one client over standard input and output; ends the process."""
    sys.excepthook = threading.excepthook = sys.unraisablehook = _name_only
    load()
    from locum.lsp.server import run

    os._exit(run())  # threads that wait for a broker or a keyring must not keep a finished server alive


def _name_only(*what: Any) -> None:
    """Say an exception's class on stderr, and neither its text nor its values: they could hold what somebody typed."""
    kind = what[0] if isinstance(what[0], type) else getattr(what[0], "exc_type", None)
    sys.stderr.write(f"locum lsp: internal error ({getattr(kind, '__name__', 'unknown')})\n")
