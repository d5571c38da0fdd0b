"""What the tools ask the broker, each over a connection of its own. Blocking, but for `ask`, which can be cancelled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

import anyio.to_thread

from locum.broker.client import BrokerClient, connect
from locum.errors import LocumError

T = TypeVar("T")


async def ask(work: Callable[[BrokerClient], T]) -> T:
    """Do something with the broker, in a thread. Cancelled: the broker stops asking, too. Raises LocumError."""
    client = await anyio.to_thread.run_sync(connect)
    try:
        return await anyio.to_thread.run_sync(lambda: work(client), abandon_on_cancel=True)
    finally:
        client.hang_up()
        client.close()


async def leases() -> list[dict[str, Any]]:
    """Return the live leases; none when no broker runs or it does not answer."""

    def look() -> list[dict[str, Any]]:
        with connect(start=False) as client:
            return client.list_leases()

    try:
        return await anyio.to_thread.run_sync(look)
    except LocumError:
        return []


async def open_session(session: str, client: str) -> bool:
    """Say that the agent above us works in a session, unless it has one open: what it is granted ends with that.

    True when we opened one. Where that cannot be (no agent above us, a broker of another version) leases end as they do without.
    """

    def do() -> bool:
        with connect() as broker:
            if broker.my_session() is not None:
                return False
            broker.open_session(session, client)
            return True

    try:
        return await anyio.to_thread.run_sync(do)
    except LocumError:
        return False


async def session_above() -> str:
    """Return the session that the agent above us has open; "" for none, or no broker to ask."""

    def look() -> str:
        with connect(start=False) as broker:
            found = broker.my_session()
            return str(found["session"]) if found else ""

    try:
        return await anyio.to_thread.run_sync(look)
    except LocumError:
        return ""


async def close_session(session: str) -> None:
    """End a session that we opened."""

    def do() -> None:
        with connect(start=False) as broker:
            broker.close_session(session)

    with contextlib.suppress(LocumError):
        await anyio.to_thread.run_sync(do)


def stored_names(client: BrokerClient) -> set[str]:
    """Return the names in the local vault; none when there is no vault yet. Raises LocumError."""
    if not client.status()["vault"]["exists"]:
        return set()
    return {str(item["name"]) for item in client.list_secrets()}


async def change(work: Callable[[BrokerClient], T]) -> T:
    """Do something that changes files, in a thread, to its end: half of it would be worse than all. Raises LocumError."""

    def do() -> T:
        with connect() as client:
            return work(client)

    return await anyio.to_thread.run_sync(do)
