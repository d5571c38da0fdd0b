"""What may happen without a question, and what may not happen at all. Pure: no files, no clock of its own.

The order: what is explicitly denied, the administrator, the user's standing yes, a question, no. An administrator's rule
only ever turns a yes into a question or a no, and a workspace has no rules at all: what it asks for only makes the request
that all this is about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

from locum.broker.wire import LeaseRequest
from locum.errors import LocumError
from locum.refs.reference import parse

DEFAULT_STANDING = 12 * 3600
"""Seconds for which a standing yes holds when nothing else is said."""
MAX_STANDING = 30 * 24 * 3600
_PRODUCTION_ENVIRONMENTS = frozenset(("prod", "production", "live", "prd"))
_PRODUCTION_WORD = re.compile(r"(?:\A|[^a-z0-9])(?:prod|production|live|prd)(?:\Z|[^a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says of a request: `ask` a person, `allow` by a standing yes (`id`), `deny` (`why`)."""

    kind: Literal["ask", "allow", "deny"]
    id: str = ""
    why: str = ""
    may_stand_for: int = 0
    """Seconds for which a yes to this may stand at most; 0: this once only."""
    max_ttl: int = 0
    """Seconds that a lease may live at most; 0: as it asks."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's yes for exactly one content, until `expires` (seconds since 1970)."""

    id: str
    content: str
    """The hash that it is bound to (`content.Content.hash`)."""
    made: int
    expires: int
    by: str
    """The way that the person said it: `editor` or `terminal`."""
    task: str
    argv: str
    """For people: the command line, scrubbed."""
    cwd: str
    workspace: str
    references: tuple[str, ...]
    channel: str = "env"


@dataclass(frozen=True, slots=True)
class Deny:
    """A rule that forbids. What is said of it holds together; patterns as in a shell (`*`, `?`, `[…]`)."""

    reference: str = ""
    command: str = ""
    env: str = ""
    channel: str = ""
    workspace: str = ""
    asker: str = ""
    """`agent`: only what is asked from inside an AI agent."""
    reason: str = ""

    def covers(self, request: LeaseRequest, *, agent: bool) -> bool:
        """Say whether the request is forbidden by this rule."""
        told = (self.reference, self.command, self.env, self.channel, self.workspace, self.asker)
        if not any(told) or (self.asker and not agent):
            return False
        grants = [
            grant
            for grant in request.grants
            if _fits(self.reference, grant.reference, grant.source, _name(grant.reference))
            and (not self.env or fnmatchcase(grant.env, self.env))
        ]
        program = request.argv[0].rpartition("/")[2]
        return bool(
            grants
            and _fits(self.command, " ".join(request.argv), program, " ".join((program, *request.argv[1:])))
            and _fits(self.channel, request.channel)
            and _fits(self.workspace, request.workspace)
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """One file's rules; the administrator's or the user's."""

    deny: tuple[Deny, ...] = ()
    always_ask: tuple[str, ...] = ()
    """Patterns of references for which no yes stands."""
    production: tuple[str, ...] = ()
    """Patterns of names that are production secrets, beside those that look like it."""
    max_ttl: int = 0
    max_standing: int = MAX_STANDING
    """0: no yes stands."""
    channels: tuple[str, ...] = ()
    """The channels that may be used; none named: all."""
    level: str = "L0"
    """The lowest level at which anything is granted."""


LOCKED = Rules(deny=(Deny(reference="*", reason="the administrator's policy cannot be read"),))
"""What holds when an administrator's file is there and says nothing that we understand."""


class Policies:
    """The policies in force: the administrator's, the user's rules, and the user's standing yeses."""

    def __init__(
        self, admin: Rules | None = None, user: Rules | None = None, standing: Sequence[Standing] = ()
    ) -> None:  # fmt: skip
        self.admin = admin or Rules()
        self.user = user or Rules()
        self.standing: Mapping[str, Standing] = {item.id: item for item in standing}

    def decide(
        self, request: LeaseRequest, content: str, *, now: int, agent: bool, level: str, whole: bool
    ) -> Decision:
        """Decide on a request whose content hash is `content` at `now` (seconds since 1970).

        `agent`: it was asked from inside an AI agent. `whole`: the content covers all that counts; else nothing stands.
        """
        both = (self.admin, self.user)
        for whose, rules in (("the administrator's policy", self.admin), ("your policy", self.user)):
            denied = _denied(rules, request, agent=agent, level=level)
            if denied:
                return Decision("deny", why=f"{whose} forbids it: {denied}")
        limits = [rules.max_ttl for rules in both if rules.max_ttl]
        ttl = min(limits, default=0)
        if self.is_production(request) or not whole or any(_asks(rules, request) for rules in both):
            return Decision("ask", max_ttl=ttl)
        longest = min(rules.max_standing for rules in both)
        if longest <= 0:
            return Decision("ask", max_ttl=ttl)
        asked = Decision("ask", may_stand_for=longest, max_ttl=ttl)
        for item in self.standing.values():
            is_in_time = item.made <= now < min(item.expires, item.made + longest)
            if item.content == content and is_in_time and not 0 < ttl < request.ttl:
                return replace(asked, kind="allow", id=item.id)
        return asked

    def is_production(self, request: LeaseRequest) -> bool:
        """Say whether a request names a production secret: those are asked for each time."""
        patterns = (*self.admin.production, *self.user.production)
        return request.production or any(
            is_production(grant.reference, grant.source, patterns) for grant in request.grants
        )

    def without(self, *ids: str) -> Policies:
        """Return the policies without some standing yeses."""
        return Policies(self.admin, self.user, [item for key, item in self.standing.items() if key not in ids])

    def with_standing(self, item: Standing) -> Policies:
        """Return the policies with one more; it takes the place of those for the same content."""
        kept = [other for other in self.standing.values() if other.content != item.content]
        return Policies(self.admin, self.user, [*kept, item])


def is_production(reference: str, source: str, patterns: Sequence[str] = ()) -> bool:
    """Say whether a reference leads to a production secret, by its environment, its source or its name."""
    try:
        parsed = parse(reference)
    except LocumError:
        return True  # what cannot be read is not waved through
    if parsed.environment is not None and parsed.environment.lower() in _PRODUCTION_ENVIRONMENTS:
        return True
    texts = [source if source != "local" else "", parsed.name if parsed.is_declared else reference]
    if any(_PRODUCTION_WORD.search(text.replace("_", "-")) for text in texts):
        return True
    return any(_fits(pattern, reference, source, *texts) for pattern in patterns)


def _denied(rules: Rules, request: LeaseRequest, *, agent: bool, level: str) -> str:
    for rule in rules.deny:
        if rule.covers(request, agent=agent):
            return rule.reason or "a rule of it"
    if rules.channels and request.channel not in rules.channels:
        return f"the channel {request.channel}; allowed: {', '.join(rules.channels)}"
    if level < rules.level:
        return f"level {rules.level} is required, and this is {level}"
    return ""


def _asks(rules: Rules, request: LeaseRequest) -> bool:
    return any(
        _fits(pattern, grant.reference, grant.source, _name(grant.reference))
        for pattern in rules.always_ask
        for grant in request.grants
    )


def _fits(pattern: str, *texts: str) -> bool:
    return not pattern or any(fnmatchcase(text, pattern) for text in texts)


def _name(reference: str) -> str:
    return reference.removeprefix("locum://").partition("?")[0].partition("#")[0]
