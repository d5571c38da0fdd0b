"""pygls' protocol and server with our own manners: our documents, neutral errors, no text of an exception anywhere.

An exception's text may hold what somebody typed, and so a secret. What leaves here is an error's code and one of our own
sentences (`errors.LocumError`), or "internal error" and nothing else.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInternalError, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from locum import __version__
from locum.errors import LocumError
from locum.lsp import capabilities
from locum.lsp.documents import Documents
from locum.lsp.session import Session

OUR_ERROR = -32803
"""RequestFailed: the code of errors whose sentence is ours."""
_STANDARD = {
    -32700: "Parse error", -32600: "Invalid request", -32601: "Method not found", -32602: "Invalid params",
    -32603: "Internal error", -32800: "Request cancelled", -32801: "Content modified", -32002: "Server not initialized",
}  # fmt: skip
_PREFERRED = ("utf-32", "utf-16", "utf-8")
"""Encodings of columns, the cheapest for Python's strings first."""


class LocumProtocol(LanguageServerProtocol):
    """Answers `initialize` with our document store in place, and tells errors neutrally."""

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Any:
        """Choose the encoding, resolve the client's capabilities, then let pygls build ours."""
        general = params.capabilities.general
        if general is not None and general.position_encodings:
            offered = {str(getattr(encoding, "value", encoding)): encoding for encoding in general.position_encodings}
            general.position_encodings = [
                offered[name] for name in _PREFERRED if name in offered
            ] or general.position_encodings
        server = cast("LocumServer", self._server)
        server.session.client = capabilities.resolve(params)
        result = yield from super().lsp_initialize(params)
        stock = self.workspace
        self._workspace = Documents(
            stock.root_uri,
            types.TextDocumentSyncKind.Incremental,
            list(stock.folders.values()),
            stock.position_encoding,
        )
        return result

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Read a message; whatever is wrong with it is "invalid params", without its text."""
        try:
            return super().structure_message(data)
        except Exception:  # noqa: BLE001 - whatever the converter raises, its text shows what was sent
            raise JsonRpcInvalidParams from None

    def _send_response(self, msg_id: str | int, result: Any = None, error: types.ResponseError | None = None) -> None:
        """Answer; of an error that is not our own only the code and its standard text go out: pygls echoes what was sent."""
        if error is not None and error.code != OUR_ERROR:
            error = types.ResponseError(code=error.code, message=_STANDARD.get(error.code, "Error"))
        super()._send_response(msg_id, result, error)  # pyright: ignore[reportUnknownMemberType] - pygls leaves it untyped


class LocumServer(LanguageServer):
    """The server: pygls' registry and client calls, our session."""

    def __init__(self, notebooks: types.NotebookDocumentSyncOptions | None = None) -> None:
        self.session = Session()
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - pygls leaves a parameter untyped
            "locum", __version__, notebook_document_sync=notebooks, protocol_cls=LocumProtocol, max_workers=1
        )
        self.session.attach(self)

    @property
    def documents(self) -> Documents:
        """The open documents."""
        workspace = self.protocol.workspace
        assert isinstance(workspace, Documents)
        return workspace

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Say nothing: the request was answered, and a notification's failure is no pop-up."""


Handler = Callable[..., Any]


def guard(handler: Handler) -> Handler:
    """Wrap a handler: our own errors keep their sentence, all others become "internal error"."""
    if inspect.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def asynchronous(ls: LocumServer, *params: Any) -> Any:
            try:
                return await handler(ls, *params)
            except Exception as error:  # noqa: BLE001 - see the module: no text of it may leave
                raise neutral(error) from None

        return asynchronous

    @functools.wraps(handler)
    def synchronous(ls: LocumServer, *params: Any) -> Any:
        try:
            return handler(ls, *params)
        except Exception as error:  # noqa: BLE001 - see the module: no text of it may leave
            raise neutral(error) from None

    return synchronous


def neutral(error: Exception) -> JsonRpcException:
    """Return what may be told of an error."""
    if isinstance(error, JsonRpcException):
        return type(error)(error.MESSAGE)
    if isinstance(error, LocumError):
        return JsonRpcException(error.explain(), OUR_ERROR)
    return JsonRpcInternalError("internal error")
