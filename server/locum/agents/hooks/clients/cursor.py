"""Cursor: cursor.com/docs/agent/hooks. JSON is expected on every path; exit 2 blocks.

`beforeReadFile` gives the file's content, and `afterFileEdit` comes too late to stop anything. An input can be replaced only
together with a permission that would answer the person's own question: no rewriting.
"""

from __future__ import annotations

from locum.agents.hooks.clients.common import told
from locum.agents.hooks.event import Abilities, Event, Kind, Reply, Verdict

TITLE = "Cursor"
EVENTS: dict[str, Kind] = {
    "sessionStart": "start", "beforeSubmitPrompt": "prompt", "preToolUse": "before", "beforeShellExecution": "before",
    "beforeMCPExecution": "before", "beforeReadFile": "before", "postToolUse": "after", "afterFileEdit": "other",
    "stop": "other", "sessionEnd": "end",
}  # fmt: skip
ABILITIES = Abilities()


def reply(event: Event, verdict: Verdict) -> Reply:
    """Return what Cursor is to be told."""
    if verdict.action == "deny":
        if event.kind == "prompt":
            return told({"continue": False, "user_message": verdict.reason}, stderr=verdict.reason, code=2)
        return told(
            {
                "permission": "deny",
                "user_message": verdict.reason.partition("\n")[0],
                "agent_message": verdict.reason,
                "userMessage": verdict.reason.partition("\n")[0],
                "agentMessage": verdict.reason,
            },
            stderr=verdict.reason,
            code=2,
        )
    if event.kind == "start" and verdict.context:
        return told({"additional_context": verdict.context})
    if event.kind == "prompt":
        return told({"continue": True})
    return told({"permission": "allow"} if event.kind == "before" else {})
