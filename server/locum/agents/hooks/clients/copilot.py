"""GitHub Copilot in VS Code (code.visualstudio.com/docs/copilot/customization/hooks) and as a CLI (docs.github.com).

The two read different fields, and each ignores the other's: a no is said in both. The CLI cannot stop a prompt.
"""

from __future__ import annotations

from locum.agents.hooks.clients.common import context_of, told
from locum.agents.hooks.event import Abilities, Event, Kind, Reply, Verdict

TITLE = "GitHub Copilot"
EVENTS: dict[str, Kind] = {
    "SessionStart": "start", "sessionStart": "start", "UserPromptSubmit": "prompt", "userPromptSubmitted": "prompt",
    "PreToolUse": "before", "preToolUse": "before", "PostToolUse": "after", "postToolUse": "after",
    "SessionEnd": "end", "sessionEnd": "end",
}  # fmt: skip
ABILITIES = Abilities()


def reply(event: Event, verdict: Verdict) -> Reply:
    """Return what Copilot is to be told."""
    if verdict.action == "deny":
        if event.kind == "prompt":
            return told({"decision": "block", "reason": verdict.reason}, stderr=verdict.reason)
        no = {"permissionDecision": "deny", "permissionDecisionReason": verdict.reason}
        return told({**no, "hookSpecificOutput": {"hookEventName": event.name, **no}})
    return told(context_of(event, verdict) or {})
