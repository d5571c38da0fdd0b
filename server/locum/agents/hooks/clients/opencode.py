"""opencode: the plugin that `locum agent install opencode` writes runs us, and does as it is told (opencode.ai/docs/plugins).

One JSON object is answered on every path; the plugin throws for a no, and for no answer where a tool would write or run.
"""

from __future__ import annotations

from locum.agents.hooks.clients.common import told
from locum.agents.hooks.event import Abilities, Event, Kind, Reply, Verdict

TITLE = "opencode"
EVENTS: dict[str, Kind] = {
    "session.start": "start", "chat.message": "prompt", "tool.execute.before": "before", "tool.execute.after": "after",
    "session.end": "end",
}  # fmt: skip
ABILITIES = Abilities(rewrites=True, redacts=True)


def reply(event: Event, verdict: Verdict) -> Reply:  # noqa: ARG001 - as all adapters
    """Return what the plugin is to be told."""
    if verdict.action == "deny":
        return told({"decision": "deny", "reason": verdict.reason})
    if verdict.action == "rewrite":
        return told({"decision": "allow", "updatedInput": verdict.input})
    if verdict.action == "replace":
        return told({"decision": "allow", "updatedOutput": verdict.output})
    return told({"decision": "allow", **({"context": verdict.context} if verdict.context else {})})
