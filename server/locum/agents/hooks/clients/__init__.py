"""One module a client: its events' names, what it does with a verdict, and how it wants to be told.

Each is as the client's own reference says (named in the module, read in November 2026), and as the real client does where it
could be run: `locum agent doctor` observes that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locum.agents.hooks.event import Abilities, Event, Kind, Reply, Verdict

CLIENTS = ("claude", "kiro", "cursor", "copilot", "codex", "gemini", "opencode")


class Adapter(Protocol):
    """What a client's module has."""

    TITLE: str
    """As people call the client."""
    EVENTS: Mapping[str, Kind]
    ABILITIES: Abilities

    def reply(self, event: Event, verdict: Verdict) -> Reply:
        """Return what the client is to be told."""
        ...


def adapter(client: str) -> Adapter:
    """Return a client's adapter; `client` is one of `CLIENTS`."""
    return import_module(f"locum.agents.hooks.clients.{client}")  # pyright: ignore[reportReturnType] - modules as values
