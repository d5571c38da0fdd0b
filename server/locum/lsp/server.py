"""Put the server together and run it on standard input and output."""

from __future__ import annotations

from lsprotocol import types

from locum.lsp import transport
from locum.lsp.handlers import (
    actions,
    commands,
    completion,
    diagnostics,
    documents,
    hints,
    hover,
    leases,
    links,
    manifest,
    notebooks,
    references,
    workspace,
)
from locum.lsp.protocol import LocumServer


def make() -> LocumServer:
    """Return a server with all its handlers."""
    server = LocumServer(notebooks.SYNC)
    for family in (
        documents, notebooks, diagnostics, manifest, actions, commands, hover, completion, references, links, hints, leases,
    ):  # fmt: skip
        family.register(server)

    server.feature(types.INITIALIZE)(initialize)
    return server


def initialize(ls: LocumServer, params: types.InitializeParams) -> None:
    """Offer what depends on the client; pygls builds the capabilities after this."""
    documents.take_folders(params)
    if ls.session.client.pulls_diagnostics:
        diagnostics.register_pull(ls)
        workspace.register_pull(ls)


def run() -> int:
    """Serve one client over stdio; return the process' exit code."""
    return transport.serve(make().protocol)
