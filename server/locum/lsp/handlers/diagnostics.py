"""Diagnostics: pushed, or pulled where the client can pull and be told to pull again. Never both."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache

from lsprotocol import types

from locum.lsp import convert
from locum.lsp.checks import Check
from locum.lsp.protocol import LocumServer, guard
from locum.workspace.agent_journal import Author

IDENTIFIER = "locum"


def register(server: LocumServer) -> None:
    """Add the handlers of this family. Pull is registered once the client is known (`register_pull`)."""

    def tell(check: Check) -> None:
        if not server.session.client.pulls_diagnostics:
            snapshot = check.snapshot
            params = types.PublishDiagnosticsParams(
                uri=snapshot.uri, version=snapshot.version, diagnostics=diagnostics(server, check)
            )
            server.text_document_publish_diagnostics(params)

    server.session.on_checked = tell


def register_pull(server: LocumServer) -> None:
    """Offer `textDocument/diagnostic`. Must be called while `initialize` is handled."""
    options = types.DiagnosticOptions(identifier=IDENTIFIER, inter_file_dependencies=False, workspace_diagnostics=False)
    server.feature(types.TEXT_DOCUMENT_DIAGNOSTIC, options)(pulled)


@guard
async def pulled(ls: LocumServer, params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
    """Answer a pull; "unchanged" when nothing is new since the result that the client names."""
    check = await ls.session.checked(params.text_document.uri)
    items = diagnostics(ls, check) if check is not None else []
    result = result_id(items)
    if params.previous_result_id == result:
        return types.RelatedUnchangedDocumentDiagnosticReport(result_id=result)
    return types.RelatedFullDocumentDiagnosticReport(items=items, result_id=result)


def diagnostics(ls: LocumServer, check: Check, authors: Mapping[str, Author] | None = None) -> list[types.Diagnostic]:
    """Say everything that a check found, in the order of the text; `authors`, by fingerprint, are an open document's own."""
    authors = ls.session.authors.of(check.snapshot.uri) if authors is None else authors
    document = ls.documents.open_document(check.snapshot.uri)
    encoding = document.encoding if document is not None else ls.documents.columns
    client = ls.session.client
    pages = _pages() if check.found and client.code_descriptions else {}
    said = [
        convert.found_diagnostic(
            check,
            found,
            pages.get(found.finding.rule, ""),
            encoding,
            related=client.related_information,
            author=authors.get(found.finding.fingerprint),
        )
        for found in check.found
    ]
    said += [convert.remark_diagnostic(check, remark, encoding, fades=client.fades) for remark in check.remarks]
    if check.truncated:
        said.append(convert.truncated_diagnostic(len(check.found)))
    return said


@cache
def _pages() -> dict[str, str]:
    """Return the vendors' pages by rule."""
    from locum.detect.engine import default_engine

    return {name: rule.url for name, rule in default_engine().rules.items()}


def result_id(items: list[types.Diagnostic]) -> str:
    """Name a result by all that it says and where."""
    said = [
        (
            item.code, item.message, item.data, item.severity, repr(item.range),
            [(repr(place.location.range), place.message) for place in item.related_information or ()],
        )
        for item in items
    ]  # fmt: skip
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]
