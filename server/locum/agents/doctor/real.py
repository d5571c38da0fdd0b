"""The clients that can be run here: how each is started against a stand-in, and how a model calls its tools.

One row a client. What is written into the temporary home is what was installed (hooks of ours, deny lists, sandbox) and what
makes the client talk to the stand-in; keys and other settings of the person are not copied.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from locum.agents.doctor import places
from locum.agents.doctor.dialects import Call

_NO_KEY = "none"
"""Clients ask for one; nothing is sent anywhere but to us."""


@dataclass(frozen=True, slots=True)
class Place:
    """A temporary home and project. Codex puts no helpers under the system's temporary folder, so `tmp` is told to be it."""

    home: Path
    project: Path
    tmp: Path


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the person's own configuration is read from."""

    home: Path
    project: Path


@dataclass(frozen=True, slots=True)
class Hand:
    """How a client's model calls its tools. Paths are absolute."""

    shell: Callable[[str], Call]
    write: Callable[[Path, str], Call]
    edit: Callable[[Path, str, str], Call]
    read: Callable[[Path], Call] | None = None
    search: Callable[[str], Call] | None = None


@dataclass(frozen=True, slots=True)
class Real:
    """One client."""

    program: str
    """What it is called on PATH."""
    hand: Hand
    arguments: Callable[[str], tuple[str, ...]]
    """From a prompt to the rest of the command line of one answer without a person."""
    variables: Callable[[str], Mapping[str, str]]
    """From the stand-in's URL to variables for the client."""
    prepare: Callable[[Origin, Place, str], None]
    """Write the configuration; the URL is the stand-in's."""


def _json(path: Path) -> dict[str, Any]:
    try:
        read = places.parsed(path)
    except (OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", read) if isinstance(read, dict) else {}


def _put(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def _ours(hooks: object, client: str) -> dict[str, Any]:
    """Return a table of hooks with our lines only. The others keep their places and do nothing: trust goes by the place."""
    kept: dict[str, Any] = {}
    for event, groups in cast("dict[str, Any]", hooks).items() if isinstance(hooks, dict) else ():
        if not isinstance(groups, list):
            continue
        made: list[Any] = json.loads(json.dumps(groups, default=str))
        for hook in (hook for group in _tables(made) for hook in _tables(group.get("hooks"))):
            if not places.is_ours(str(hook.get("command", "")), client):
                hook["command"] = "true"
        kept[event] = made
    return kept


def _tables(value: object) -> list[dict[str, Any]]:
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def _copy_settings(origin: Origin, place: Place, client: str, keys: tuple[str, ...], more: Mapping[str, Any]) -> None:
    """Copy JSON settings, `keys` and our hooks only; `more` is added to the home's first file."""
    for base, target in ((origin.home, place.home), (origin.project, place.project)):
        for number, name in enumerate(name for name in places.FILES[client] if name.endswith(".json")):
            settings = _json(base / name)
            kept = {key: settings[key] for key in keys if key in settings}
            if "hooks" in settings:
                kept["hooks"] = _ours(settings["hooks"], client)
            if base == origin.home and number == 0:
                kept |= more
            if kept:
                _put(target / name, kept)


def _copy_ignores(origin: Origin, place: Place, *names: str) -> None:
    for name in names:
        if (origin.project / name).is_file():
            _put(place.project / name, (origin.project / name).read_text("utf-8", "replace"))


# -- Claude Code -------------------------------------------------------------------------------------------------------


def _prepare_claude(origin: Origin, place: Place, url: str) -> None:  # noqa: ARG001 - the URL goes by a variable
    _copy_settings(origin, place, "claude", ("permissions", "sandbox", "disableAllHooks"), {})


CLAUDE = Real(
    "claude",
    Hand(
        lambda line: Call("Bash", {"command": line, "description": "look"}),
        lambda path, text: Call("Write", {"file_path": str(path), "content": text}),
        lambda path, old, new: Call("Edit", {"file_path": str(path), "old_string": old, "new_string": new}),
        lambda path: Call("Read", {"file_path": str(path)}),
        lambda text: Call("Grep", {"pattern": text, "output_mode": "content"}),
    ),
    lambda prompt: ("-p", prompt, "--allowedTools", "Bash,Read,Write,Edit,Grep,Glob,NotebookEdit"),
    lambda url: {
        "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": _NO_KEY, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    },
    _prepare_claude,
)  # fmt: skip


# -- Codex -------------------------------------------------------------------------------------------------------------


def _prepare_codex(origin: Origin, place: Place, url: str) -> None:
    import tomlkit

    _copy_settings(origin, place, "codex", (), {})
    mine = _json(origin.home / ".codex/config.toml")
    hooks = _ours(mine.get("hooks"), "codex")
    state = cast("dict[str, Any]", mine.get("hooks") or {}).get("state")
    moved = ((str(origin.project), str(place.project)), (str(origin.home), str(place.home)))
    if isinstance(state, dict):
        hooks["state"] = {_moved(key, moved): value for key, value in cast("dict[str, Any]", state).items()}
    projects = {_moved(key, moved): value for key, value in cast("dict[str, Any]", mine.get("projects") or {}).items()}
    provider = {
        "name": "doctor", "base_url": f"{url}/v1", "wire_api": "responses", "env_key": "DOCTOR_KEY",
        "request_max_retries": 0, "stream_max_retries": 0, "supports_websockets": False,
    }  # fmt: skip
    features = {k: v for k, v in cast("dict[str, Any]", mine.get("features") or {}).items() if isinstance(v, bool)}
    config: dict[str, Any] = {
        # The newest model whose tools are called one by one; it is not asked, its name decides which tools there are.
        "model": "gpt-5.5", "model_provider": "doctor", "approval_policy": "never",
        "sandbox_mode": mine.get("sandbox_mode") or "workspace-write",
        # Else its sandbox leaves a `.git` of its own beside whatever lies there.
        "sandbox_workspace_write": {"exclude_slash_tmp": True, "exclude_tmpdir_env_var": True},
        "model_providers": {"doctor": provider}, "features": {**features, "enable_request_compression": False},
        "hooks": hooks, "projects": projects,
    }  # fmt: skip
    _put(place.home / ".codex/config.toml", tomlkit.dumps({key: value for key, value in config.items() if value}))  # pyright: ignore[reportUnknownMemberType]
    theirs = _json(origin.project / ".codex/config.toml")
    if "hooks" in theirs:
        _put(place.project / ".codex/config.toml", tomlkit.dumps({"hooks": _ours(theirs["hooks"], "codex")}))  # pyright: ignore[reportUnknownMemberType]


def _moved(text: str, places_: tuple[tuple[str, str], ...]) -> str:
    for old, new in places_:
        if text == old or text.startswith(old + "/"):
            return new + text[len(old) :]
    return text


def _patch(kind: str, path: Path, lines: list[str]) -> Call:
    body = "\n".join(lines)
    return Call("apply_patch", f"*** Begin Patch\n*** {kind} File: {path.name}\n{body}\n*** End Patch\n")


CODEX = Real(
    "codex",
    Hand(
        lambda line: Call("exec_command", {"cmd": line}),
        lambda path, text: _patch("Add", path, [f"+{line}" for line in text.splitlines()]),
        lambda path, old, new: _patch(
            "Update",
            path,
            ["@@", *(f"-{line}" for line in old.splitlines()), *(f"+{line}" for line in new.splitlines())],
        ),
    ),
    lambda prompt: ("exec", "--skip-git-repo-check", prompt),
    lambda url: {"DOCTOR_KEY": _NO_KEY},  # noqa: ARG005 - the URL stands in the configuration
    _prepare_codex,
)


# -- Gemini CLI --------------------------------------------------------------------------------------------------------


def _prepare_gemini(origin: Origin, place: Place, url: str) -> None:  # noqa: ARG001 - the URL goes by a variable
    more = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False},
            "general": {"disableAutoUpdate": True}}  # fmt: skip
    _copy_settings(origin, place, "gemini", ("context", "hooksConfig", "tools"), more)
    _copy_ignores(origin, place, ".geminiignore", ".gitignore")


GEMINI = Real(
    "gemini",
    Hand(
        lambda line: Call("run_shell_command", {"command": line}),
        lambda path, text: Call("write_file", {"file_path": str(path), "content": text}),
        lambda path, old, new: Call(
            "replace", {"file_path": str(path), "old_string": old, "new_string": new, "instruction": "change it"}
        ),
        lambda path: Call("read_file", {"file_path": str(path)}),
        lambda text: Call("grep_search", {"pattern": text}),
    ),
    lambda prompt: ("--approval-mode", "yolo", "-p", prompt),
    lambda url: {
        "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": _NO_KEY, "GEMINI_CLI_TRUST_WORKSPACE": "true",
    },
    _prepare_gemini,
)  # fmt: skip


# -- opencode ----------------------------------------------------------------------------------------------------------


def _prepare_opencode(origin: Origin, place: Place, url: str) -> None:
    models = {"m": {"name": "m", "tool_call": True, "limit": {"context": 100000, "output": 1000}}}
    provider = {
        "npm": "@ai-sdk/openai-compatible", "name": "doctor", "options": {"baseURL": f"{url}/v1", "apiKey": _NO_KEY},
        "models": models,
    }  # fmt: skip
    config: dict[str, Any] = {
        "autoupdate": False, "share": "disabled", "model": "doctor/m", "small_model": "doctor/m",
        "provider": {"doctor": provider},
    }  # fmt: skip
    for base, target, name in (
        (origin.home, place.home, ".config/opencode/opencode.json"),
        (origin.project, place.project, "opencode.json"),
    ):
        permission = _json(base / name).get("permission")
        made = {**(config if base == origin.home else {}), **({"permission": permission} if permission else {})}
        if made:
            _put(target / name, made)
        for pattern in places.FILES["opencode"]:
            for path in base.glob(pattern):
                if re.search(r"\blocum\b", text := path.read_text("utf-8", "replace")):
                    _put(target / path.relative_to(base), text)


OPENCODE = Real(
    "opencode",
    Hand(
        lambda line: Call("bash", {"command": line, "description": "look"}),
        lambda path, text: Call("write", {"filePath": str(path), "content": text}),
        lambda path, old, new: Call("edit", {"filePath": str(path), "oldString": old, "newString": new}),
        lambda path: Call("read", {"filePath": str(path)}),
        lambda text: Call("grep", {"pattern": text}),
    ),
    lambda prompt: ("run", prompt),
    lambda url: {  # noqa: ARG005 - the URL stands in the configuration
        "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "npm_config_offline": "true",  # a plugin makes it fetch a package, which it does without
    },
    _prepare_opencode,
)  # fmt: skip

REAL: Mapping[str, Real] = {"claude": CLAUDE, "codex": CODEX, "gemini": GEMINI, "opencode": OPENCODE}
"""By the client's name in commands."""
