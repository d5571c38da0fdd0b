"""What only the hook's own process can do for an answer: it has the client's variables, and stands below the client's process.

The resident has neither, and leaves such events to the caller (`CallerAnswers`). Only a broker that runs is asked: a hook starts
none.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NoReturn, Protocol

from locum.agents.hooks.event import CallerAnswers
from locum.errors import LocumError
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from locum.agents.hooks.event import Event
    from locum.broker.client import BrokerClient

_MOST_NAMES = 20
WAIT_FOR_PERSON = 50.0
"""Seconds for an answer: less than clients wait for the hook of a prompt (`install.clients`)."""


class Caller(Protocol):
    """Who answers. All may raise CallerAnswers."""

    def variables(self) -> dict[str, str]:
        """Return the variables that the client's shells have."""
        ...

    def store(self, name: str, value: str) -> str:
        """Store a value under a name like `name` if a person says yes; return the name, "" for no."""
        ...

    def enter(self, event: Event) -> None:
        """Let leases that are asked for below the client's process from now on belong to the event's session."""
        ...

    def leave(self, event: Event) -> None:
        """End the event's session and its leases."""
        ...


class Here:
    """The hook's own process."""

    def variables(self) -> dict[str, str]:
        """Return this process's variables, which the client gives to its shells as well."""
        return dict(os.environ)

    def store(self, name: str, value: str) -> str:
        """Ask in an editor; return "" when there is none."""
        client = running_broker()
        if client is None:
            return ""
        try:
            with client:
                if not client.status().get("control"):
                    return ""
                taken = {item["name"] for item in client.list_secrets()}
                names = (name, *(f"{name}_{number}" for number in range(2, _MOST_NAMES)))
                free = next((candidate for candidate in names if candidate not in taken), "")
                if free:
                    late = threading.Timer(WAIT_FOR_PERSON, client.hang_up)
                    late.daemon = True
                    late.start()
                    secret = SecretBytes(value.encode("utf-8", "replace"))
                    client.store_secret(free, secret, origin="prompt", new=True, ask=True)
                return free
        except LocumError:
            return ""

    def enter(self, event: Event) -> None:
        """Open the session in the broker."""
        client = running_broker()
        if client is not None:
            try:
                with client:
                    client.open_session(event.session, event.client)
            except LocumError:
                return  # a lease then ends by its own rules

    def leave(self, event: Event) -> None:
        """Close the session in the broker."""
        client = running_broker()
        if client is not None:
            try:
                with client:
                    client.close_session(event.session)
            except LocumError:
                return  # it ends with the client's process


class Elsewhere:
    """The resident."""

    def variables(self) -> NoReturn:
        """Leave it to the caller."""
        raise CallerAnswers

    def store(self, name: str, value: str) -> NoReturn:  # noqa: ARG002 - as `Caller` has it
        """Leave it to the caller."""
        raise CallerAnswers

    def enter(self, event: Event) -> NoReturn:  # noqa: ARG002 - as `Caller` has it
        """Leave it to the caller."""
        raise CallerAnswers

    def leave(self, event: Event) -> NoReturn:  # noqa: ARG002 - as `Caller` has it
        """Leave it to the caller."""
        raise CallerAnswers


def name_in_vault(value: str) -> str:
    """Return the name under which the vault has a value; "" where it has none, or cannot be asked."""
    client = running_broker()
    if client is None:
        return ""
    try:
        with client:
            return client.match_secret(SecretBytes(value.encode("utf-8", "replace")))
    except LocumError:
        return ""


def running_broker() -> BrokerClient | None:
    """Return a connection to the broker that runs; None when none does."""
    from locum.broker.client import connect, is_running

    if not is_running():
        return None
    try:
        return connect(start=False)
    except LocumError:
        return None
