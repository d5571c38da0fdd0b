"""Claude Code: code.claude.com/docs/en/hooks. JSON on stdin and stdout; exit 2 blocks, any other failure lets the tool run."""

from __future__ import annotations

from locum.agents.hooks.clients.common import blocked, context_of, told
from locum.agents.hooks.event import Abilities, Event, Kind, Reply, Verdict

TITLE = "Claude Code"
EVENTS: dict[str, Kind] = {
    "SessionStart": "start", "UserPromptSubmit": "prompt", "PreToolUse": "before", "PostToolUse": "after",
    "PostToolUseFailure": "other", "SessionEnd": "end",
}  # fmt: skip
ABILITIES = Abilities(redacts=True)
# `updatedInput` needs `allow` or `ask` beside it, and `allow` would answer the person's own question: no rewriting.


def reply(event: Event, verdict: Verdict) -> Reply:
    """Return what Claude Code is to be told."""
    if verdict.action == "deny":
        if event.kind == "before":
            return blocked(
                {
                    "hookSpecificOutput": {
                        "hookEventName": event.name,
                        "permissionDecision": "deny",
                        "permissionDecisionReason": verdict.reason,
                    }
                },
                verdict.reason,
            )
        return blocked({"decision": "block", "reason": verdict.reason}, verdict.reason)
    if verdict.action == "replace":
        return told(
            {
                "hookSpecificOutput": {
                    "hookEventName": event.name,
                    "updatedToolOutput": verdict.output,
                    "additionalContext": verdict.context,
                }
            }
        )
    return told(context_of(event, verdict))
