"""Gemini CLI: geminicli.com/docs/hooks/reference. Nothing but one JSON object on stdout; exit 2 blocks with stderr as reason."""

from __future__ import annotations

from locum.agents.hooks.clients.common import as_text, blocked, context_of, told
from locum.agents.hooks.event import Abilities, Event, Kind, Reply, Verdict

TITLE = "Gemini CLI"
EVENTS: dict[str, Kind] = {
    "SessionStart": "start", "BeforeAgent": "prompt", "BeforeTool": "before", "AfterTool": "after", "SessionEnd": "end",
}  # fmt: skip
ABILITIES = Abilities(rewrites=True, redacts=True)


def reply(event: Event, verdict: Verdict) -> Reply:
    """Return what Gemini CLI is to be told."""
    if verdict.action == "deny":
        return blocked({"decision": "deny", "reason": verdict.reason}, verdict.reason)
    if verdict.action == "rewrite":
        return told({"hookSpecificOutput": {"hookEventName": event.name, "tool_input": verdict.input}})
    if verdict.action == "replace":  # the reason takes the place of the result
        return told(
            {"decision": "deny", "reason": f"{as_text(verdict.output)}\n\n({verdict.reason} {verdict.context})"}
        )
    return told(context_of(event, verdict) or {})
