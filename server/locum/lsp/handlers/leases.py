"""`locum/leases`: tell the client which leases live. A thread of our own watches the broker and never starts one."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from lsprotocol import types

from locum.errors import LocumError
from locum.lsp.handlers.workspace import watch_files
from locum.lsp.protocol import LocumServer, guard

METHOD = "locum/leases"
LOOK_EVERY = 5.0
"""Seconds between two looks for a broker's socket (one stat call each)."""


def register(server: LocumServer) -> None:
    """Start to watch when the client is ready."""

    server.feature(types.INITIALIZED)(ready)


@guard
def ready(ls: LocumServer, params: types.InitializedParams) -> None:  # noqa: ARG001 - LSP's signature
    """The client is ready: watch broker and files, ask where we are to ask, load the rules."""
    from locum.lsp.handlers.approvals import start_asking

    loop = asyncio.get_running_loop()
    threading.Thread(target=_watch, args=(ls, loop), daemon=True, name="lease-watcher").start()
    if ls.session.client.approvals == "server":
        start_asking(ls, loop)
    ls.session.load_rules()
    watching = loop.create_task(watch_files(ls))
    watching.add_done_callback(lambda task: task.cancelled() or task.exception())


def _watch(ls: LocumServer, loop: asyncio.AbstractEventLoop) -> None:
    from locum.broker.client import connect, is_running

    def tell(leases: list[dict[str, Any]]) -> None:
        loop.call_soon_threadsafe(ls.protocol.notify, METHOD, {"leases": leases})

    told: list[dict[str, Any]] = []
    while True:
        try:
            if is_running():
                with connect(start=False) as client:
                    client.watch()
                    while True:
                        event = client.next_event(None)
                        if event is not None and event.get("event") == "leases":
                            told = event["leases"]
                            tell(told)
        except (LocumError, OSError):
            pass  # the broker has ended; what it held has ended with it
        except RuntimeError:
            return  # the loop has ended
        if told:
            told = []
            tell(told)
        time.sleep(LOOK_EVERY)
