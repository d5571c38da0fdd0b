"""The tools: what they are called, what they say about themselves, what they take and what they give. Data alone.

Nothing here depends on a workspace: what a client has approved stays what it was. `python -m locum.agents.mcp.tools` prints
the schema that `schemas/mcp-results.schema.json` publishes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from locum.agents.mcp.schema import Schema, listing, number, table, text, truth
from locum.refs.manifest import CHANNELS
from locum.workspace.report import finding_schema

PAGE = 8_000
"""Characters of a task's output that come at once, unless more are asked for."""
MAX_PAGE = 32_000
WAIT = 45
"""Seconds that a call waits for a task before it answers: clients give up after a minute."""
MAX_WAIT = 600
FINDINGS = 100
"""Findings that come at once."""

_NAME = {"pattern": "^[A-Za-z_][A-Za-z0-9_]{0,100}$", "maxLength": 101}
_ENVIRONMENT = text(
    "An environment such as dev or prod; left out: the value without one",
    pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", maxLength=64,
)  # fmt: skip
_PATH = {"maxLength": 4096}
_FINGERPRINT = text("A finding's fingerprint, from scan", pattern="^[0-9a-f]{32}$", maxLength=32)
_TASK_ID = text("The id of a started task", pattern="^t[0-9]{1,6}$", maxLength=7)
_ARGUMENT = text("One argument", maxLength=16_000, contentMediaType="text/plain")
_SPAN = text("How long the task may hold its secrets, such as 15m", pattern="^[0-9]{1,4}[smh]$", maxLength=5)


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool."""

    name: str
    title: str
    description: str
    takes: Schema
    gives: Schema
    reads_only: bool = False
    destructive: bool = False
    idempotent: bool = False


_COUNT: Schema = {"type": "integer", "minimum": 0}
_WORDS: Schema = {"type": "string"}
_NAMES: Schema = {"type": "array", "items": _WORDS}

_SECRET = table({
    "name": _WORDS | {"description": "How tools and files call it"},
    "reference": _WORDS | {"description": "What to write into files in the place of the value"},
    "state": {"enum": ["stored", "missing", "elsewhere"], "description": "elsewhere: another vault has it"},
    "description": _WORDS,
    "docs": _WORDS | {"description": "The page where it is made and rotated"},
    "environments": _NAMES,
    "tasks": _NAMES | {"description": "The tasks that use it"},
})  # fmt: skip
_TASK = table({
    "name": _WORDS, "command": _NAMES, "secrets": _NAMES,
    "ttl_seconds": _COUNT, "channel": _WORDS | {"description": "How it gets the values"},
})  # fmt: skip
_PLACE = table({"path": _WORDS, "line": _COUNT, "name": _WORDS, "reference": _WORDS, "note": _WORDS})
_LEFT = table({"path": _WORDS, "line": _COUNT, "reason": _WORDS})
_FINDING = {key: value for key, value in finding_schema().items() if key != "$schema"}
_LEASE = table({"id": _WORDS, "secrets": _NAMES, "expires_in_seconds": {"type": "number"}})
_RUN = table(
    {
        "task_id": _WORDS,
        "state": {
            "enum": ["asking", "running", "ended", "refused"],
            "description": "asking: a person has yet to allow it; refused: nothing was started",
        },
        "exit_code": {"type": ["integer", "null"], "description": "The command's own; null while there is none"},
        "output": _WORDS | {"description": "Standard output and error; values stand there as references"},
        "offset": _COUNT | {"description": "Where this output begins, in characters of all of it"},
        "next_offset": _COUNT | {"description": "Where the output after this begins"},
        "total": _COUNT | {"description": "Characters of all output so far"},
        "lost": _COUNT | {"description": "Characters at the beginning that are no longer kept"},
        "what_to_do": _WORDS | {"description": "What has to happen now, and who does it; empty: nothing"},
    }
)  # fmt: skip
_HOW = {
    "reason": text("Why, in a sentence for the person who is asked", maxLength=200),
    "ttl": _SPAN,
    "channel": text("How values arrive; left out: in variables", enum=list(CHANNELS)),
    "hosts": listing(text("NAME=host or host", maxLength=255), "With channel proxy: where a value may go", 16),
    "env_file": text("A .env file with references that the command gets as variables", **_PATH),
    "mount": listing(text("A file with references", **_PATH), "Files that the command finds with their values filled in", 8),
    "environment": _ENVIRONMENT,
    "background": truth("Answer at once; look with lease_status"),
    "wait_seconds": number(f"How long to wait for its end; left out: {WAIT}", 0, MAX_WAIT),
}  # fmt: skip
_STORED = table({
    "name": _WORDS, "reference": _WORDS, "was_there": {"type": "boolean"},
    "declared": {"type": "boolean", "description": "Whether locum.toml names it now"},
})  # fmt: skip
_MOVED = table({
    "moved": {"type": "array", "items": _PLACE}, "left": {"type": "array", "items": _LEFT}, "what_to_do": _WORDS,
})  # fmt: skip

TOOLS: tuple[Tool, ...] = (
    Tool(
        "list_secrets", "List secrets",
        "List the secrets of this project by name: what each is for, whether it is stored, which tasks use it. Never a value. "
        "Call this first instead of reading .env files or printing variables. In files write the reference; in code read "
        "the environment variable; run programs that need it with run_task or run_command.",
        table({}), table({
            "project": _WORDS, "secrets": {"type": "array", "items": _SECRET}, "environments": _NAMES,
            "in_vault_only": _NAMES | {"description": "Stored names that this project does not declare"},
            "what_to_do": _WORDS,
        }),
        reads_only=True, idempotent=True,
    ),
    Tool(
        "list_tasks", "List tasks",
        "List the tasks of locum.toml that run with secrets: name, command, secrets, time. Run one with run_task.",
        table({}), table({"project": _WORDS, "tasks": {"type": "array", "items": _TASK}}),
        reads_only=True, idempotent=True,
    ),
    Tool(
        "scan", "Find plaintext secrets",
        "Find secrets that stand in plain text in the workspace's files. Gives place, rule and fingerprint, never the value: "
        "do not open the file to look. Move what is found with replace_plaintext.",
        table({
            "path": text("A file or folder in the workspace; left out: all of it", **_PATH),
            "offset": number("Findings to pass over", 0, 1_000_000),
        }, ()),
        table({
            "findings": {"type": "array", "items": _FINDING},
            "total": _COUNT, "next_offset": {"type": ["integer", "null"]}, "files": _COUNT,
            "not_read": {"type": "array", "items": table({"path": _WORDS, "reason": _WORDS})},
        }),
        reads_only=True, idempotent=True,
    ),
    Tool(
        "run_task", "Run a task with its secrets",
        "Run a task of locum.toml with the secrets that it declares. A person is asked in their editor unless they allowed "
        "exactly this before; you cannot answer for them. Output is masked: values stand there as references, which you may "
        "copy into files. A task that takes long goes on in the background: look with lease_status, end with end_task.",
        table({"task": text("A name from list_tasks", maxLength=100), **_HOW}, ("task",)), _RUN,
    ),
    Tool(
        "run_command", "Run a command with secrets",
        "Run one command with named secrets as environment variables, for what no task covers. The arguments are used "
        'exactly as given, without a shell: for pipes or $NAME give ["sh", "-c", "…"], and let the command read the '
        "variable itself. A person is asked each time. Do not print values or send them elsewhere. Without a secret, use "
        "your own shell tool.",
        table({
            "command": listing(_ARGUMENT, "Program and arguments", 256)
            | {"minItems": 1},
            "secrets": listing(
                text("NAME, or VARIABLE=NAME", pattern="^[A-Za-z_][A-Za-z0-9_]{0,100}(=[A-Za-z_][A-Za-z0-9_.-]{0,127})?$",
                     maxLength=240),
                "Names from list_secrets, each in a variable of its name", 32,
            ),
            "cwd": text("A folder in the workspace; left out: its root", **_PATH),
            **_HOW,
        }, ("command",)),
        _RUN,
    ),
    Tool(
        "request_secret", "Ask the person for a secret",
        "Ask the person to type a value that only they know, straight into their vault, and declare its name. You never see "
        "it. Never ask for a value in the chat, and never take one from there. Answers at once when the name is stored.",
        table({
            "name": text("A new name in capitals, such as STRIPE_API_KEY", **_NAME),
            "reason": text("What it is and why it is needed, for the person", maxLength=200),
            "docs": text("The https page where the person gets one", pattern="^https://[!-~]{3,500}$", maxLength=508),
            "environment": _ENVIRONMENT,
        }, ("name", "reason")),
        _STORED, idempotent=True,
    ),
    Tool(
        "import_env", "Move a .env file into the vault",
        "Move the secrets of a .env file into the vault and leave references there. Locum reads the file itself: do not open "
        "it, do not pass its content on. With an environment the values are kept beside those of other environments. "
        "Settings that are no secrets stay as they are; name further variables in also.",
        table({
            "path": text("The .env file in the workspace", **_PATH),
            "environment": _ENVIRONMENT,
            "also": listing(text("A variable of the file", **_NAME), "Variables that do not look secret and are", 100),
        }, ("path",)),
        _MOVED, destructive=True,
    ),
    Tool(
        "generate_secret", "Make a random secret",
        "Make a random value (for a session key, a webhook's signature, a development database) under a new name, straight "
        "in the vault, and declare it. You never see it. An existing name is never replaced.",
        table({
            "name": text("A new name in capitals, such as SESSION_KEY", **_NAME),
            "description": text("What it is for", maxLength=200),
            "bytes": number("Random bytes; left out: 32", 16, 128),
            "form": text("How it is written; left out: base64url", enum=["base64url", "hex", "base64"]),
            "environment": _ENVIRONMENT,
        }, ("name",)),
        _STORED,
    ),
    Tool(
        "replace_plaintext", "Move found secrets into the vault",
        "Move secrets that scan found into the vault and leave working code in their place: a reference, or what reads the "
        "variable in that language. Files change; values are stored and read back first. The old value was seen in plain "
        "text: tell the person to rotate it.",
        table({
            "fingerprints": listing(_FINGERPRINT, "Fingerprints from scan", 100) | {"minItems": 1},
            "path": text("Only in this file or folder", **_PATH),
        }, ("fingerprints",)),
        _MOVED, destructive=True,
    ),
    Tool(
        "lease_status", "Look at tasks and leases",
        "Look at a started task: state, exit code, a page of its masked output. Without a task: all of this session, and "
        "what they hold.",
        table({
            "task_id": _TASK_ID,
            "offset": number("Where the page begins; left out: the end of the output", 0, 1_000_000_000),
            "limit": number(f"Characters of the page; left out: {PAGE}", 1, MAX_PAGE),
            "wait_seconds": number("Wait so long for its end or for output behind offset", 0, MAX_WAIT),
        }, ()),
        table({
            "tasks": {"type": "array", "items": _RUN},
            "leases": {"type": "array", "items": _LEASE},
        }),
        reads_only=True, idempotent=True,
    ),
    Tool(
        "end_task", "End a task",
        "End a started task now; what it held is taken back.",
        table({"task_id": _TASK_ID}), _RUN, destructive=True, idempotent=True,
    ),
)  # fmt: skip

BY_NAME = {tool.name: tool for tool in TOOLS}


def results_schema() -> dict[str, Any]:
    """Return one JSON Schema with what each tool gives."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Results of locum mcp",
        "description": "What each tool gives as structured content. No field holds a value.",
        "$defs": {tool.name: tool.gives for tool in TOOLS},
        "anyOf": [{"$ref": f"#/$defs/{tool.name}"} for tool in TOOLS],
    }


if __name__ == "__main__":
    print(json.dumps(results_schema(), indent=2))  # noqa: T201 - this is what it is run for
