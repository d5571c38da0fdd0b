"""Codex: its hooks are made after Claude Code's (github.com/openai/codex, codex-rs/hooks).

`updatedInput` needs `permissionDecision: allow` beside it, which is no approval there. Crash and time-out let the tool run.
`updatedToolOutput` is not known; the reason of a `block` takes the place of the result (seen in 0.169.0).
"""

from __future__ import annotations

from locum.agents.hooks.clients import claude
from locum.agents.hooks.clients.common import as_text, told
from locum.agents.hooks.event import Abilities, Event, Kind, Reply, Verdict

TITLE = "Codex"
EVENTS: dict[str, Kind] = {
    "SessionStart": "start", "UserPromptSubmit": "prompt", "PreToolUse": "before", "PostToolUse": "after",
}  # fmt: skip
ABILITIES = Abilities(rewrites=True, redacts=True)


def reply(event: Event, verdict: Verdict) -> Reply:
    """Return what Codex is to be told."""
    if verdict.action == "rewrite":
        return told(
            {
                "hookSpecificOutput": {
                    "hookEventName": event.name,
                    "permissionDecision": "allow",
                    "updatedInput": verdict.input,
                }
            }
        )
    if verdict.action == "replace":
        note = f"({verdict.reason} {verdict.context})"
        return told({"decision": "block", "reason": f"{as_text(verdict.output)}\n\n{note}"})
    return claude.reply(event, verdict)
