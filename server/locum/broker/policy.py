"""What may happen without a question, and what may not happen at all. Pure: no files, no clock of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from locum.broker.wire import LeaseRequest


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says of a request: `ask` a person, `allow` by a standing yes (`id`), `deny` (`why`)."""

    kind: Literal["ask", "allow", "deny"]
    id: str = ""
    why: str = ""


class Policies:
    """The policies in force: the user's own and the administrator's."""

    def decide(self, request: LeaseRequest, content: str) -> Decision:  # noqa: ARG002 - no standing yes exists yet
        """Decide on a request whose content hash is `content`."""
        return Decision("ask")
