"""Where each client's hooks are configured, and which lines of ours stand there. Knows files, starts nothing.

The formats differ; what they share is that a line to run stands under the name of an event. So the files are walked,
and every `locum hook CLIENT` is a hook.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

CLIENTS: Mapping[str, str] = {
    "claude": "Claude Code", "kiro": "Kiro", "cursor": "Cursor", "copilot": "GitHub Copilot", "codex": "Codex",
    "gemini": "Gemini CLI", "opencode": "opencode",
}  # fmt: skip
"""By the name that commands take: as people call it."""

FILES: Mapping[str, tuple[str, ...]] = {
    "claude": (".claude/settings.json", ".claude/settings.local.json"),
    "kiro": (".kiro/hooks/*.json", ".kiro/agents/*.json", ".kiro/hooks/*.kiro.hook"),
    "cursor": (".cursor/hooks.json",),
    "copilot": (".github/hooks/*.json", ".copilot/hooks/*.json"),
    "codex": (".codex/hooks.json", ".codex/config.toml"),
    "gemini": (".gemini/settings.json",),
    "opencode": (
        ".config/opencode/plugin/*.[jt]s", ".config/opencode/plugins/*.[jt]s",
        ".opencode/plugin/*.[jt]s", ".opencode/plugins/*.[jt]s",
    ),
}  # fmt: skip
"""In the home and in the project: where hooks may stand, as patterns."""

KINDS: Mapping[str, str] = {
    "sessionstart": "start", "session.start": "start", "agentspawn": "start", "session.created": "start",
    "userpromptsubmit": "prompt", "userpromptsubmitted": "prompt", "promptsubmit": "prompt", "beforesubmitprompt": "prompt",
    "beforeagent": "prompt", "chat.message": "prompt",
    "pretooluse": "before", "beforetool": "before", "beforeshellexecution": "before", "beforereadfile": "before",
    "beforemcpexecution": "before", "tool.execute.before": "before",
    "posttooluse": "after", "aftertool": "after", "tool.execute.after": "after",
    "sessionend": "end", "session.end": "end", "session.deleted": "end",
}  # fmt: skip
"""By the client's name for an event, in small letters: which of ours it is."""
NEEDED = ("prompt", "before", "after")
"""The events without which something is not protected."""
_TITLES = {
    "prompt": "prompt submit",
    "before": "before a tool",
    "after": "after a tool",
    "start": "session start",
    "end": "session end",
}
_MOST = 1 << 20
"""Bytes of a configuration file that are read."""


def title_of(kind: str) -> str:
    """Return the words for a kind of event."""
    return _TITLES.get(kind, kind)


@dataclass(frozen=True, slots=True)
class Hook:
    """A line of ours in a client's configuration."""

    event: str
    """The client's name for it."""
    kind: str
    """`start`, `prompt`, `before`, `after`, `end`, or "" for an event that we do not know."""
    command: str
    """For the client's shell; "" where a plugin that we do not know starts us."""
    file: Path
    timeout: float
    """Seconds that the client waits; 0: it is not said."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What was found of one client."""

    hooks: tuple[Hook, ...]
    files: tuple[Path, ...]
    """The files with our hooks in them."""
    broken: tuple[Path, ...]
    """Files that the client cannot read either."""


def is_ours(command: str, client: str) -> bool:
    """Say whether a line runs `locum hook` for a client."""
    return re.search(rf"\bhook['\"]?,?\s+['\"]?{client}\b", command) is not None


def find(client: str, home: Path, project: Path) -> Installed:
    """Return our hooks in a client's files."""
    hooks: dict[Hook, None] = {}
    files: dict[Path, None] = {}
    broken: list[Path] = []
    for base in dict.fromkeys((home, project)):
        for path in (place for pattern in FILES[client] for place in sorted(base.glob(pattern))):
            try:
                found = list(_read(path, client))
            except (OSError, ValueError, RecursionError):
                broken.append(path)
                continue
            hooks |= dict.fromkeys(found)
            files |= dict.fromkeys(hook.file for hook in found)
    return Installed(tuple(hooks), tuple(files), tuple(broken))


def parsed(path: Path) -> Any:
    """Return a configuration file's content: TOML or JSON, with comments. Raises OSError, ValueError."""
    with path.open("rb") as file:
        text = file.read(_MOST).decode()
    if path.suffix == ".toml":
        return tomllib.loads(text)
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(_without_comments(text))


def _read(path: Path, client: str) -> Iterator[Hook]:
    if path.suffix in {".js", ".ts"}:
        yield from _in_plugin(path, client)
        return
    for event, item in _walk(parsed(path), ""):
        command = next((line for key in ("command", "bash") if isinstance(line := item.get(key), str)), "")
        if is_ours(command, client):
            yield Hook(event, KINDS.get(event.lower(), ""), command, path, _seconds(item, client))


def _in_plugin(path: Path, client: str) -> Iterator[Hook]:
    """Yield what a plugin asks us; as the line that it starts, where it is the one that we install."""
    text = path.read_text("utf-8")
    if not is_ours(text, client) and not re.search(rf"['\"]hook['\"],\s*['\"]{client}['\"]", text):
        return
    program = re.search(r'^const LOCUM = ("[^"\n]+")', text, re.MULTILINE)
    line = shlex.join([json.loads(program[1]), "hook", client]) if program else ""
    for event in ("session.start", "chat.message", "tool.execute.before", "tool.execute.after", "session.end"):
        if f'"{event}"' in text or f"'{event}'" in text:
            yield Hook(event, KINDS[event], line, path, 0)


def _walk(value: Any, event: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each table in a configuration with the name of the event that it stands under."""
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _walk(item, event)
    elif isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        when = table.get("when")
        trigger = cast("dict[str, Any]", when).get("type") if isinstance(when, dict) else table.get("trigger")
        here = trigger if isinstance(trigger, str) else event
        yield here, table
        for key, item in table.items():
            yield from _walk(item, key if key.lower() in KINDS else here)


def _seconds(item: Mapping[str, Any], client: str) -> float:
    for key, unit in (("timeout", 1000 if client == "gemini" else 1), ("timeoutSec", 1), ("timeout_ms", 1000)):
        value = item.get(key)
        if isinstance(value, int | float) and value > 0:
            return value / unit
    return 0


def _without_comments(text: str) -> str:
    """Return JSON without comments and trailing commas; strings stay."""
    pattern = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])', re.DOTALL)
    return pattern.sub(lambda match: match.group(1) or "", text)
