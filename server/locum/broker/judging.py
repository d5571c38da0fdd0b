"""What becomes of a request before anybody is asked: what it covers, what the policy says of it, what is new about it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locum.broker.content import Content, gather
from locum.broker.level import Level, level_of
from locum.broker.memory import Memory, changes
from locum.broker.peer import agent_marker
from locum.broker.policy import Decision, Policies, Standing
from locum.broker.policy_file import Loaded, PolicyFile
from locum.broker.question import show_argv
from locum.broker.scrub import scrub
from locum.broker.wire import LeaseRequest
from locum.errors import LocumError, Unavailable, UsageProblem
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from locum.broker.connection import Connection
    from locum.broker.core import Core

Change = Callable[[Policies], Policies]

LOOK_WITHIN = 10.0
"""Seconds for reading the files that a request covers: a dead network disk must not hold a question up for ever."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A request, and everything that is known about it."""

    request: LeaseRequest
    content: Content
    hash: str
    decision: Decision
    level: Level
    agent: str
    """The agent's marker that the asker has, "" for none."""
    production: bool
    changes: tuple[str, ...]
    seen: int
    """When the last yes to this task was given, seconds since 1970; 0: never."""
    remarks: tuple[str, ...]
    """What is to be told about the policy files."""


class Judging:
    """Looks at requests. Reads files in threads of its own."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.memory = Memory(core.paths.state / "approved.json", self._derive("memory"))
        self.files = PolicyFile(core.paths.policy, core.paths.state / "policy.signed", core.paths.admin_policy)
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="content")

    def _derive(self, purpose: str) -> Callable[[bytes], SecretBytes]:
        return lambda salt: self._core.vault.derive(purpose, salt)

    async def judge(self, connection: Connection, request: LeaseRequest) -> Judged:
        """Gather, load the policy and decide. The vault must be open. Raises LocumError."""
        key = await self._core.in_worker(lambda: self._core.vault.derive("lines", b""))
        try:
            line_key = bytes(key.view())
        finally:
            key.wipe()
        content = await self._read(request, line_key)
        before = await self._core.in_worker(lambda: self.memory.of(request))
        # The last thing that is waited for: a yes that is taken away later finds the lease that rests on it, and ends it.
        loaded = await self.load(request.workspace)
        pid = connection.peer.pid
        level, agent = level_of(pid), agent_marker(pid)
        content_hash = content.hash(request)
        policies = loaded.policies
        whole = content.is_whole and not request.files
        decision = policies.decide(
            request, content_hash, now=int(time.time()), agent=bool(agent), level=level.name, whole=whole
        )
        return Judged(
            request, content, content_hash, decision, level, agent, policies.is_production(request),
            changes(before, request, content) if before else (), before.when if before else 0, loaded.remarks,
        )  # fmt: skip

    async def still(self, judged: Judged) -> bool:
        """Say whether what a yes was given to is still what stands on the disk."""
        content = await self._read(judged.request, b"")
        return content.hash(judged.request) == judged.hash

    async def _read(self, request: LeaseRequest, line_key: bytes) -> Content:
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.wait_for(
                loop.run_in_executor(self._readers, lambda: gather(request, line_key)), LOOK_WITHIN
            )
        except TimeoutError:
            raise Unavailable(
                "unavailable.files", "the files that the task names cannot be read in time", "Is a disk away?"
            ) from None

    async def load(self, workspace: str = "") -> Loaded:
        """Read the policy files. Raises VaultLocked."""
        return await self._core.in_worker(lambda: self.files.load(self._derive("policy"), workspace))

    async def stand(self, judged: Judged, seconds: int, by: str) -> Standing:
        """Make a yes stand for this content. Raises UsageProblem, LocumError."""
        if not 0 < seconds <= judged.decision.may_stand_for:
            raise UsageProblem("policy.standing", "no yes may stand for this, or not for so long", "Allow it once.")
        now = int(time.time())
        item = Standing(
            "pol_" + secrets.token_hex(6), judged.hash, now, now + seconds, by, judged.request.task,
            scrub(show_argv(judged.request.argv)), judged.request.cwd, judged.request.workspace,
            tuple(grant.reference for grant in judged.request.grants), judged.request.channel,
        )  # fmt: skip
        await self.change(lambda policies: policies.with_standing(item))
        return item

    async def change(self, how: Change) -> None:
        """Change what stands and write it down: signed, then shown. Raises Unavailable when it cannot be written."""

        def work(derive: Callable[[bytes], SecretBytes]) -> None:
            loaded = self.files.load(derive)
            self.files.save(derive, loaded, how(loaded.policies))

        await self._write(work)

    async def adopt(self, loaded: Loaded) -> None:
        """Put the edited file in force. Raises UsageProblem, Unavailable."""
        await self._write(lambda derive: self.files.adopt(derive, loaded))

    async def restore(self) -> None:
        """Write what is in force over the edited file. Raises Unavailable."""
        await self._write(self.files.restore)

    async def _write(self, work: Callable[[Callable[[bytes], SecretBytes]], object]) -> None:
        def write() -> None:
            try:
                work(self._derive("policy"))
            except OSError as problem:
                reason = problem.strerror or "error"
                raise Unavailable("unavailable.policy", f"the policy cannot be written ({reason})") from None

        await self._core.in_worker(write)

    async def remember(self, judged: Judged) -> None:
        """Keep what this yes covered, for the next question."""
        try:
            await self._core.in_worker(lambda: self.memory.keep(judged.request, judged.content))
        except LocumError:
            return  # it only explains

    def close(self) -> None:
        """End the threads."""
        self._readers.shutdown(wait=False, cancel_futures=True)
