"""Kiro, IDE and CLI: kiro.dev/docs/cli/hooks and kiro.dev/docs/hooks. Exit 2 blocks a tool, stderr goes to the model.

What is written on stdout when a session starts or a prompt is sent is added to the conversation. A prompt cannot be stopped
(the person is warned), nor can output be replaced. Some builds of the IDE pass no JSON: `--event` says then what it is.
"""

from __future__ import annotations

from locum.agents.hooks.event import Abilities, Event, Kind, Reply, Verdict

TITLE = "Kiro"
EVENTS: dict[str, Kind] = {
    "agentSpawn": "start", "AgentSpawn": "start", "SessionStart": "start",
    "userPromptSubmit": "prompt", "UserPromptSubmit": "prompt", "promptSubmit": "prompt",
    "preToolUse": "before", "PreToolUse": "before", "postToolUse": "after", "PostToolUse": "after",
    "SessionEnd": "end", "sessionEnd": "end",
}  # fmt: skip
ABILITIES = Abilities()


def reply(event: Event, verdict: Verdict) -> Reply:
    """Return what Kiro is to be told."""
    if verdict.action == "deny":
        return Reply(stderr=f"{verdict.reason}\n", code=2)
    return Reply(stdout=f"{verdict.context}\n" if verdict.context and event.kind == "start" else "")
