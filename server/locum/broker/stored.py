"""The broker's methods for stored secrets: list, store, compare, copy, take back, remove. No value leaves here."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any

from locum.broker.approval import ANSWER_WITHIN
from locum.broker.audit_asker import program_of
from locum.broker.comparisons import Comparisons
from locum.broker.core import Answered, Core, Method, Params, close_terminal, secret_name, take_value
from locum.broker.peer import agent_marker
from locum.broker.person import ask, confirm, refusal, who
from locum.broker.question import change_question, copy_question, value_question
from locum.errors import LocumError, NotAllowed
from locum.vaults.interface import SecretInfo, VaultError

if TYPE_CHECKING:
    from locum.broker.connection import Connection


class Stored:
    """The methods `secret.*`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._askers: dict[Connection, object] = {}
        self._comparisons = Comparisons(lambda fields: core.record.write("secret.match", ok=True, **fields))

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {
            "secret.list": self._list,
            "secret.store": self._store,
            "secret.match": self._match,
            "secret.copy": self._copy,
            "secret.request": self._request,
            "secret.discard": self._discard,
            "secret.remove": self._remove,
        }

    async def _list(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        await self._core.open_vault(connection)
        items = await self._core.in_worker(self._core.vault.list)
        found = [{"name": i.name, "created": i.created, "updated": i.updated, "version": i.version} for i in items]
        return {"secrets": found}, b""

    async def _store(self, connection: Connection, params: Params, payload: bytearray) -> Answered:
        value = take_value(payload)
        terminal = connection.take_terminal()
        handed_over = False

        def put() -> SecretInfo:
            try:
                return self._core.vault.put(name, value, must_be_new=not exists)
            finally:
                value.wipe()

        try:
            name = secret_name(params)
            await self._core.open_or_create(connection)
            exists = await self._core.in_worker(lambda: self._core.vault.has(name))
            if exists and params.get("new") is True:  # the asker chose the name because nobody had it
                raise VaultError("secret.exists", f"{name} was stored by somebody else meanwhile", "Try again.")
            if exists or params.get("ask") is True:
                await self._confirm_change(connection, terminal, "Replace" if exists else "Store", name)
            handed_over = True  # from here on the worker wipes: this call may be cancelled while it still stores
            info = await self._core.in_worker(put)
        finally:
            if not handed_over:
                value.wipe()
            close_terminal(terminal)
        self._core.record.write(
            "secret.store", ok=True, durable=True, pid=connection.peer.pid, resources=[name],
            reason=str(params.get("origin", ""))[:40], requester=who(connection),
        )  # fmt: skip
        undo = ""
        if not exists:
            undo = secrets.token_hex(16)
            connection.undo[undo] = info
        return {"undo": undo, "version": info.version}, b""

    async def _match(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        value = take_value(payload)

        asker = self._asker(connection)

        def about() -> dict[str, Any]:
            return {"pid": connection.peer.pid, "requester": who(connection)}

        try:
            await self._core.open_vault(connection)
            self._comparisons.take(asker, connection.peer.pid, about)
            name = await self._core.in_worker(lambda: self._core.vault.name_of(value))
        finally:
            value.wipe()
        if name:
            self._comparisons.told(asker, about, name)
        return {"name": name}, b""

    def left(self, connection: Connection) -> None:
        """A connection closed: write down what its program learnt of the vault's values."""
        asker = self._askers.pop(connection, None)
        if asker is not None:
            with contextlib.suppress(LocumError):
                self._comparisons.left(asker)

    def _asker(self, connection: Connection) -> object:
        """Return what one record of comparisons is for: a program, inside an agent or not. Many commands are one asker."""
        if connection not in self._askers:
            pid = connection.peer.pid
            self._askers[connection] = (program_of(pid), agent_marker(pid))
        return self._askers[connection]

    def write_comparisons(self, *, older_than: float = 0.0) -> None:
        """Write down what was compared (longer ago than so many seconds)."""
        with contextlib.suppress(LocumError):  # nothing more is compared until it is written
            self._comparisons.write_down(older_than=older_than)

    async def _copy(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        terminal = connection.take_terminal()
        try:
            name, new_name = secret_name(params), secret_name(params, "new_name")
            await self._core.open_vault(connection)
            await self._core.known([name])
            if await self._core.in_worker(lambda: self._core.vault.has(new_name)):
                raise VaultError("secret.exists", f"your vault has {new_name} already", "Choose another name.")
            question = copy_question(name, new_name, asked_by=who(connection), expires_in=ANSWER_WITHIN)
            takes = f"to give {name} a second name takes a person"
            await confirm(self._core.approvals, connection, question, terminal, takes)
        finally:
            close_terminal(terminal)
        await self._core.in_worker(lambda: self._core.vault.copy(name, new_name))
        self._core.record.write(
            "secret.copy", ok=True, durable=True, pid=connection.peer.pid, resources=[name, new_name]
        )
        return {}, b""

    async def _request(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        """Let a person store a value under a new name, where an editor can take it; at once when the name is there."""
        name = secret_name(params)
        await self._core.open_or_create(connection)
        if await self._core.in_worker(lambda: self._core.vault.has(name)):
            return {"stored": False}, b""
        in_terminal = f"They store it in a terminal: locum secret set {name}"
        if not self._core.approvals.takes_values:
            raise NotAllowed("denied.nobody", "no editor is there in which a person could type the value", in_terminal)
        question = value_question(
            name, str(params.get("reason", "")), asked_by=who(connection), expires_in=ANSWER_WITHIN
        )
        answer = await ask(self._core.approvals, connection, question, None)
        if not answer.allowed or not await self._core.in_worker(lambda: self._core.vault.has(name)):
            raise NotAllowed(
                "denied.refused", refusal(answer) if not answer.allowed else "nothing was stored", in_terminal
            )
        return {"stored": True}, b""

    async def _discard(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        stored = connection.undo.pop(str(params.get("undo")), None)
        now = await self._core.in_worker(self._core.vault.list) if stored is not None else []
        if stored is None or stored not in now:  # also when somebody has replaced it meanwhile
            raise NotAllowed("denied.undo", "nothing of this connection to undo")
        await self._core.in_worker(lambda: self._core.vault.remove(stored.name))
        self._core.record.write("secret.discard", ok=True, pid=connection.peer.pid, resources=[stored.name])
        return {}, b""

    async def _remove(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        terminal = connection.take_terminal()
        try:
            name = secret_name(params)
            await self._core.open_vault(connection)
            await self._core.known([name])
            await self._confirm_change(connection, terminal, "Delete", name)
        finally:
            close_terminal(terminal)
        await self._core.in_worker(lambda: self._core.vault.remove(name))
        self._core.record.write("secret.remove", ok=True, durable=True, pid=connection.peer.pid, resources=[name])
        return {}, b""

    async def _confirm_change(self, connection: Connection, terminal: int | None, verb: str, name: str) -> None:
        question = change_question(verb, name, asked_by=who(connection), expires_in=ANSWER_WITHIN)
        there = "" if verb == "Store" else f"{name} is in your vault already; "
        takes = f"{there}to {verb.lower()} it takes a person"
        await confirm(self._core.approvals, connection, question, terminal, takes)
