"""The broker's methods for the policy: show it, explain it, ask a person to change it, narrow it. None changes it unasked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from locum.broker import wire
from locum.broker.approval import ANSWER_WITHIN
from locum.broker.core import Answered, Core, Method, Params, close_terminal
from locum.broker.granting import Granting, local_names
from locum.broker.judging import Judging
from locum.broker.person import ask, confirm, refusal, who
from locum.broker.policy import Standing
from locum.broker.question import lease_question, policy_question
from locum.broker.scrub import scrub_argv
from locum.errors import NotAllowed, UsageProblem

if TYPE_CHECKING:
    from locum.broker.connection import Connection


class Policing:
    """The methods `policy.*`."""

    def __init__(self, core: Core, judging: Judging, granting: Granting) -> None:
        self._core, self._judging, self._granting = core, judging, granting

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {
            "policy.list": self._list,
            "policy.explain": self._explain,
            "policy.request": self._request,
            "policy.revoke": self._revoke,
            "policy.adopt": self._adopt,
            "policy.restore": self._restore,
        }

    async def _list(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        await self._core.open_vault(connection)
        loaded = await self._judging.load()
        now = int(time.time())
        return {
            "standing": [
                {**asdict(item), "references": list(item.references), "expired": now >= item.expires}
                for item in loaded.policies.standing.values()
            ],
            "user": asdict(loaded.policies.user), "admin": asdict(loaded.policies.admin),
            "remarks": list(loaded.remarks), "edited": loaded.edited, "difference": list(loaded.difference),
        }, b""  # fmt: skip

    async def _explain(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        request = wire.LeaseRequest.from_wire(params)
        await self._core.open_vault(connection)
        judged = await self._judging.judge(connection, request)
        return {
            "decision": judged.decision.kind, "id": judged.decision.id, "why": judged.decision.why,
            "may_stand_for": judged.decision.may_stand_for, "production": judged.production, "level": str(judged.level),
            "covers": [{"path": item.path, "why": item.why} for item in judged.content.files],
            "left_out": list(judged.content.left_out), "changes": list(judged.changes), "remarks": list(judged.remarks),
            "program": judged.content.program,
        }, b""  # fmt: skip

    async def _request(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        terminal = connection.take_terminal()
        try:
            request = wire.LeaseRequest.from_wire(params)
            seconds = params.get("stands_for")
            names = local_names(request)
            await self._core.open_vault(connection)
            await self._core.known(names)
            judged = await self._judging.judge(connection, request)
            longest = judged.decision.may_stand_for
            if judged.decision.kind == "deny":
                raise NotAllowed("denied.policy", judged.decision.why, "`locum policy explain` says more.")
            if type(seconds) is not int or not 0 < seconds <= longest:
                raise UsageProblem("policy.standing", _why_not(judged.production, longest), "Allow it each time.")
            question = lease_question(judged, asked_by=who(connection), expires_in=ANSWER_WITHIN)
            until = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + seconds))
            question = question.standing(f"Let exactly this run without a question until {until}?")
            answer = await ask(self._core.approvals, connection, question, terminal)
        finally:
            close_terminal(terminal)
        about = self._about(connection, judged.request)
        if not answer.allowed:
            self._core.record.write("policy.change", ok=False, durable=True, reason="refused", **about)
            raise NotAllowed("denied.refused", refusal(answer), "The policy stays as it was.")
        if not await self._judging.still(judged):
            raise NotAllowed("denied.changed", "a file of the task changed while you were asked", "Run it again.")
        await self._judging.remember(judged)
        item = await self._judging.stand(judged, seconds, answer.by)
        self._core.record.write(
            "policy.change", ok=True, durable=True, reason=f"stands: {item.id}", approved_by=answer.by, **about
        )
        return {"standing": {**asdict(item), "references": list(item.references)}}, b""

    async def _revoke(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        await self._core.open_vault(connection)
        loaded = await self._judging.load()
        found = _chosen(loaded.policies.standing, str(params.get("id", "")), everything=params.get("all") is True)
        await self._judging.change(lambda policies: policies.without(*found))
        self._core.record.write(
            "policy.change", ok=True, durable=True, pid=connection.peer.pid, reason=f"revoked: {' '.join(found)}"
        )
        self._granting.end_standing(found, "the yes that it rests on was revoked")
        return {"revoked": found}, b""

    async def _adopt(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        terminal = connection.take_terminal()
        try:
            await self._core.open_vault(connection)
            loaded = await self._judging.load()
            if not loaded.edited:
                raise UsageProblem("policy.same", "policy.toml is what is in force already")
            question = policy_question(
                "Put the edited policy.toml in force?",
                loaded.difference,
                asked_by=who(connection),
                expires_in=ANSWER_WITHIN,
            )
            await confirm(self._core.approvals, connection, question, terminal, "to change your policy takes a person")
        finally:
            close_terminal(terminal)
        now = await self._judging.load()
        if (now.shown, now.generation) != (loaded.shown, loaded.generation):
            raise NotAllowed("denied.changed", "policy.toml changed while you were asked", "Look at it again.")
        await self._judging.adopt(now)
        self._core.record.write("policy.change", ok=True, durable=True, pid=connection.peer.pid, reason="adopted")
        self._granting.end_standing(list(now.policies.standing), "the policy has changed")
        return {}, b""

    async def _restore(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        await self._core.open_vault(connection)
        await self._judging.restore()
        self._core.record.write("policy.change", ok=True, durable=True, pid=connection.peer.pid, reason="restored")
        return {}, b""

    def _about(self, connection: Connection, request: wire.LeaseRequest) -> dict[str, Any]:
        return {
            "pid": connection.peer.pid, "task": request.task, "argv": [scrub_argv(request.argv)], "cwd": request.cwd,
            "references": [grant.reference for grant in request.grants], "requester": who(connection),
        }  # fmt: skip


def _chosen(standing: Mapping[str, Standing], wanted: str, *, everything: bool) -> list[str]:
    if everything:
        return list(standing)
    found = [key for key in standing if wanted and key.startswith(wanted)]
    if len(found) != 1:
        raise UsageProblem("policy.unknown", "no standing yes with this id", "See `locum policy list`.")
    return found


def _why_not(production: bool, longest: int) -> str:
    if production:
        return "production secrets are asked for each time"
    if not longest:
        return "no yes may stand for this: the policy says so, or a file that it runs cannot be covered"
    return f"a yes may stand for this between one second and {longest // 3600} h"
