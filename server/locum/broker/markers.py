"""The variables by which AI agents can be told. Data alone: the launcher reads it on every start."""

from __future__ import annotations

AGENT_MARKERS = (
    "AI_AGENT", "CLAUDECODE", "CURSOR_AGENT", "CODEX_SANDBOX", "CODEX_SANDBOX_NETWORK_DISABLED", "GEMINI_CLI", "OPENCODE",
    "GOOSE_TERMINAL", "AUGMENT_AGENT", "CLINE_ACTIVE", "KIRO_AGENT", "COPILOT_AGENT",
)  # fmt: skip
"""Variables that coding agents set for the commands they run. Their presence lowers trust; their absence proves nothing."""
