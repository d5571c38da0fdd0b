"""Long work as the editor shows it: a begin, reports, an end, and a person's cancel. Nothing for clients that show none."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from locum.lsp.protocol import LocumServer

T = TypeVar("T")

EVERY = 200
"""Steps between two reports."""


class Progress:
    """`async with Progress(server, title) as progress:`. `step` may be called in any thread."""

    def __init__(self, ls: LocumServer, title: str, token: types.ProgressToken | None = None) -> None:
        """Take the token that the client sent along with its request; without one, make one where the client lets us."""
        self._ls = ls
        self._title = title
        self._given = token
        self._token: types.ProgressToken = ""
        self._steps = 0
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        if self._given is not None or self._ls.session.client.progress:
            token = self._given if self._given is not None else f"locum-{secrets.token_hex(8)}"
            try:
                if self._given is None:
                    await self._ls.window_work_done_progress_create_async(types.WorkDoneProgressCreateParams(token))
            except JsonRpcException:
                return self  # it will not show one
            self._token = token
            begin = types.WorkDoneProgressBegin(title=self._title, cancellable=True)
            self._ls.work_done_progress.begin(token, begin)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token != "":
            self._ls.work_done_progress.end(self._token, types.WorkDoneProgressEnd())
            self._tokens.pop(self._token, None)

    def step(self) -> None:
        """Count one more thing that was looked at."""
        self._steps += 1
        if self._token != "" and self._steps % EVERY == 0:
            report = types.WorkDoneProgressReport(message=f"{self._steps} files")
            self._loop.call_soon_threadsafe(self._ls.work_done_progress.report, self._token, report)

    @property
    def _tokens(self) -> dict[types.ProgressToken, Future[Any]]:
        """Return pygls' futures, which a cancel of the client cancels."""
        return cast("dict[types.ProgressToken, Future[Any]]", self._ls.work_done_progress.tokens)  # pyright: ignore[reportUnknownMemberType] - pygls leaves it untyped

    async def unless_cancelled(self, work: Awaitable[T]) -> T | None:
        """Wait for work; None when the person cancels first. Stopping the work is the caller's part."""
        task = asyncio.ensure_future(work)
        waits: set[asyncio.Future[Any]] = {task}
        if self._token != "":
            waits.add(asyncio.wrap_future(self._tokens[self._token]))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
