"""The broker's methods for its record: check it, and say where copies of it go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from locum.broker.approval import ANSWER_WITHIN
from locum.broker.audit_keyring import read_keyring_anchor
from locum.broker.audit_record import ANCHOR_SALT
from locum.broker.audit_settings import Settings, read_settings
from locum.broker.audit_verify import verify
from locum.broker.core import Answered, Core, Method, Params, close_terminal
from locum.broker.person import confirm, who
from locum.broker.question import policy_question
from locum.errors import LocumError, UsageProblem
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from locum.broker.connection import Connection


class Auditing:
    """The methods `audit.*`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {"audit.verify": self._verify, "audit.collector": self._collector, "audit.apply": self._apply}

    def status(self) -> dict[str, Any]:
        """Return how it goes with the collector."""
        in_force = self._core.record.collector
        if in_force is None:
            return {"collector": None}
        settings, state = in_force
        return {
            "collector": {
                "endpoint": settings.endpoint, "required": settings.required, "secrets": list(settings.secrets),
                "sent": state.sent, "waiting": state.waiting, "refused": state.refused, "trouble": state.trouble,
            }
        }  # fmt: skip

    async def _verify(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        await self._core.open_vault(connection)
        key = await self._core.in_worker(lambda: self._derive(ANCHOR_SALT))
        # the keyring first, as every anchor: it may vouch for fewer records than there are, never for more
        keyring = await asyncio.to_thread(read_keyring_anchor, self._core.keyring_account(), key)
        key.wipe()
        verdict = await self._core.in_worker(lambda: verify(self._core.paths.audit, self._derive, {"keyring": keyring}))
        anchors = [{"name": name, "says": says} for name, says in verdict.anchors]
        return {
            "ok": verdict.ok, "records": verdict.records, "first_bad": verdict.first_bad, "reason": verdict.reason,
            "file": verdict.file, "files": verdict.files, "notes": list(verdict.notes),
            "anchors": [*anchors, {"name": "collector", "says": self._collector_says()}],
        }, b""  # fmt: skip

    def _collector_says(self) -> str:
        in_force = self._core.record.collector
        if in_force is None:
            return "none: nothing would show that the log and all its anchors were deleted together"
        settings, state = in_force
        says = f"{settings.url.hostname} has taken {state.sent} records, {state.waiting} wait"
        says += f", it refused {state.refused}" if state.refused else ""
        return says + (f" ({state.trouble})" if state.trouble else "")

    async def _collector(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        await self._core.open_vault(connection)
        wanted, problem = None, ""
        try:
            wanted = read_settings(self._file)
        except UsageProblem as error:
            problem = error.message
        in_force = self._core.record.collector
        same = not problem and wanted == (None if in_force is None else in_force[0])
        lines = list(in_force[0].describe()) if in_force is not None else []
        return {**self.status(), "lines": lines, "edited": not same, "problem": problem}, b""

    async def _apply(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        terminal = connection.take_terminal()
        try:
            wanted = read_settings(self._file)
            await self._core.open_vault(connection)
            in_force = self._core.record.collector
            if wanted == (None if in_force is None else in_force[0]):
                raise UsageProblem("audit.same", "audit.toml is what is in force already")
            if wanted is not None:
                await self._core.known(list(wanted.secrets))
            await confirm(
                self._core.approvals, connection, self._question(connection, wanted), terminal,
                "to say where copies of the record go takes a person",
            )  # fmt: skip
        finally:
            close_terminal(terminal)
        if read_settings(self._file) != wanted:
            raise UsageProblem("audit.changed", "audit.toml changed while you were asked", "Look at it again.")
        where = wanted.endpoint if wanted is not None else "nowhere"
        names = list(wanted.secrets) if wanted is not None else []
        self._record_change(connection, where, names)
        self._core.record.allow_collector(wanted)
        return self.status(), b""

    def _record_change(self, connection: Connection, where: str, names: list[str]) -> None:
        try:
            self._core.record.write(
                "policy.change", ok=True, durable=True, pid=connection.peer.pid, resources=names,
                reason=f"copies of the record go to {where}",
            )  # fmt: skip
        except LocumError:  # the collector that is to be replaced may be the one that takes no records
            self._core.record.write(
                "policy.change", ok=True, pid=connection.peer.pid, resources=names,
                reason=f"copies of the record go to {where}",
            )  # fmt: skip

    @staticmethod
    def _question(connection: Connection, wanted: Settings | None) -> Any:
        title = "Send a copy of the record there?" if wanted is not None else "Send no more copies of the record?"
        lines = wanted.describe() if wanted is not None else ()
        return policy_question(title, lines, asked_by=who(connection), expires_in=ANSWER_WITHIN)

    @property
    def _file(self) -> Any:
        return self._core.paths.config / "audit.toml"

    def _derive(self, salt: bytes) -> SecretBytes:
        return self._core.vault.derive("audit", salt)
