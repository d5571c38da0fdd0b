"""What an agent is told of Locum, in the form of each client: short, because it stands in every conversation."""

from __future__ import annotations

import json

from locum.agents.install.launch import Launch

READ_ONLY_TOOLS = ("list_secrets", "list_tasks", "scan", "lease_status")
"""Tools of `locum mcp` that change nothing and run nothing: what a client may call without asking."""

RULES = """\
Secrets of this project are kept by Locum. You never need a value, only its name.

- What a secret is called and which tasks use it: the tools `list_secrets` and `list_tasks`, or `locum check`.
- Code reads it by name from the environment; a configuration file holds `locum://NAME`. Write such a reference, never a value.
- What needs one to run goes through `run_task`, or `run_command` with the exact words; in a terminal
  `locum run --task TASK` or `locum run --secret NAME -- COMMAND`. A person is asked first; wait for the answer.
- A value that is missing: `request_secret` asks the person for it. Do not ask for one in the chat. A value that anybody can make
  up: `generate_secret`. A `.env` that exists: `import_env` takes it over without showing it.
- Do not read `.env`, key files or the environment, and do not print them. `•••` or `locum://NAME` in an output is the mask:
  leave it as it is, it works where it stands.
- When Locum says no, it says what to do instead. Do that, or tell the person; do not look for a way around it.
"""

MARKS = "<!-- locum: begin", "<!-- locum: end"


def lines() -> list[str]:
    """Return the rules as a block of a Markdown file that others write in."""
    return [
        f"{MARKS[0]} (renewed by 'locum agent install') -->",
        "## Secrets",
        "",
        *RULES.splitlines(),
        f"{MARKS[1]} -->",
    ]


def steering() -> str:
    """Return a steering file of Kiro that is always read."""
    return f"---\ninclusion: always\n---\n\n# Secrets\n\n{RULES}"


def cursor_rule() -> str:
    """Return a rule of Cursor that is always read."""
    return f"---\ndescription: How this project's secrets are used\nalwaysApply: true\n---\n\n# Secrets\n\n{RULES}"


def power() -> str:
    """Return the POWER.md of a Kiro power."""
    words = ["secret", "secrets", "credential", "api key", "token", "password", ".env", "vault", "locum"]
    return (
        "---\n"
        'name: "locum"\n'
        'displayName: "Locum: secrets without seeing them"\n'
        'description: "Use API keys, tokens and passwords by name: run tasks that need them, store and replace plaintext, '
        'see what a project needs. No value passes through the agent."\n'
        f"keywords: {json.dumps(words)}\n"
        'author: "Locum"\n'
        "---\n\n"
        f"# Locum\n\n{RULES}\n"
        "## When this power is new here\n\n"
        "1. `list_secrets` shows what the project declares. Nothing? `scan` finds plaintext, `replace_plaintext` moves it.\n"
        "2. A `.env` in the project: `import_env` stores its values, and leaves references in it.\n"
        "3. Tell the person that `locum vault init` makes the vault when there is none, and that each use is asked for.\n"
    )


def power_servers(launch: Launch) -> str:
    """Return the mcp.json of a Kiro power."""
    return _dumped({"mcpServers": {"locum": {"command": launch.program, "args": ["mcp"]}}})


def _dumped(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
