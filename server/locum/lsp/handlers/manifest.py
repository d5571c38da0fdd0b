"""An open `locum.toml`: what its diagnostics say beyond its text is looked for behind every check of it, and never before one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locum.lsp.protocol import LocumServer

if TYPE_CHECKING:
    from locum.lsp.checks import Check


def register(server: LocumServer) -> None:
    """Be told of checks, after whoever shows them."""
    shown = server.session.on_checked

    def checked(check: Check) -> None:
        shown(check)
        if check.snapshot.path is not None and check.snapshot.path.endswith("locum.toml") and not check.on_disk:
            _look_further(server, check)

    server.session.on_checked = checked


def _look_further(ls: LocumServer, check: Check) -> None:
    from locum.lsp.checks import place_of
    from locum.lsp.standing import want_uses, want_vault

    uri = check.snapshot.uri

    def changed() -> None:
        ls.session.check_again(uri)
        if ls.session.client.pulls_diagnostics:
            ls.workspace_diagnostic_refresh(None)
        if ls.session.client.refreshes_hints:
            ls.workspace_inlay_hint_refresh(None)

    want_vault(changed)
    want_uses(ls, place_of(check.snapshot)[1], changed)
