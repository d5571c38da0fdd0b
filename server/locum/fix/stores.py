"""The vault's side of one fix: names for values, storing them, and taking out again what turned out not to be used (P2).

The broker reads back what it stored before it answers. Everything here blocks; who has a loop calls it in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from locum.detect.finding import Finding
from locum.errors import LocumError
from locum.rewrite.naming import Names, can_be_passed, choose_name
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from locum.broker.client import BrokerClient

Agree = Callable[[str, str], str]
"""Asks a person: the best name stands for another value in the vault, shall this one be called so? Returns a name."""


def left_behind(names: Sequence[str]) -> str:
    """Say what is in the vault although nothing refers to it."""
    return f"{', '.join(names)} could not be taken out of your vault again: nothing refers to it, 'locum secret rm' removes it."


class Stores:
    """One fix' dealings with the vault, over one connection: what it stored it can take out as long as that lives."""

    def __init__(
        self, client: BrokerClient, *, origin: str, declared: Collection[str] = (), agree: Agree | None = None
    ) -> None:  # fmt: skip
        """Ask what the vault has. `declared` are names that lead elsewhere; without `agree` a number tells a second value
        from the first.

        Raises LocumError.
        """
        self._client = client
        self._origin = origin
        self._names = Names()
        self._versions = {str(item["name"]): int(item["version"]) for item in client.list_secrets()}
        self.elsewhere = frozenset(declared)
        """Names that lead to other places than the local vault."""
        self._undo: dict[str, str] = {}
        self.left_behind: list[str] = []
        """What could not be taken out again: it is in the vault, and nothing refers to it."""
        self._can_match = True
        self._agree = agree

    def name_for(self, finding: Finding, value: SecretBytes) -> str:
        """Return what a value shall be called: the name that it has in the vault, or a new one.

        Raises what `agree` raises.
        """
        known = self._names.of(value)
        if known:
            return known
        name = self._names.choose(finding, value, {*self._versions, *self.elsewhere}, self.name_of)
        best = choose_name(finding, ())
        if self._agree is not None and name != best and best in self._versions and not self.has(name):
            name = self._agree(best, name)
            self._names.remember(value, name)
        return name

    def name_of(self, value: SecretBytes) -> str:
        """Return the name under which the vault has this very value, "" for none that we can know of.

        Only the vault can tell: a name that somebody removed and gave to another value looks like new.
        """
        known = self._match(value)
        return known if can_be_passed(known) and known not in self.elsewhere else ""

    def _match(self, value: SecretBytes) -> str:
        if self._can_match:
            try:
                return self._client.match_secret(value)
            except LocumError:  # asked too often: then a value gets a name of its own
                self._can_match = False
        return ""

    def has(self, name: str) -> bool:
        """Say whether the vault had this name before, or has it now."""
        return name in self._versions or name in self._undo

    def put(self, name: str, value: SecretBytes, *, given_up: Callable[[], bool] = lambda: False) -> None:
        """Store a value that the vault does not have yet. What is stored after somebody gave up is taken out at once."""
        if self.has(name):
            return
        undo = self._client.store_secret(name, value, origin=self._origin, new=True)  # never over somebody else's
        if given_up():
            self._client.discard_secret(undo)
        else:
            self._undo[name] = undo

    def keep(self, names: Iterable[str]) -> None:
        """Let these stay whatever comes: a text refers to them now."""
        for name in names:
            if self._undo.pop(name, ""):
                self._versions[name] = 1

    def take_back(self, names: Iterable[str] | None = None) -> None:
        """Take out what this fix stored: these names, or all. What cannot be taken out is in `left_behind`."""
        for name in list(self._undo if names is None else names):
            undo = self._undo.pop(name, "")
            if undo:
                try:
                    self._client.discard_secret(undo)
                except LocumError:
                    self.left_behind.append(name)
