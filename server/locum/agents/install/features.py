"""What of ours stands in a JSON file in which others have settings too: each knows how it is put in and how it is taken out.

Pure: texts in, texts out. All raise JsonProblem for what is no JSON of that form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from locum.agents import jsonc
from locum.agents.install.launch import Launch, is_ours, runs_hook
from locum.agents.jsonc import Way
from locum.errors import UsageProblem


class Feature(Protocol):
    """One thing of ours."""

    def put(self, text: str, launch: Launch) -> str:
        """Return the text with it, renewed where an older one stands; the same text when it is there."""
        ...

    def take(self, text: str, launch: Launch) -> str:
        """Return the text without it, "" when nothing else is in it."""
        ...


@dataclass(frozen=True, slots=True)
class Hook:
    """An entry in the list at `way`."""

    way: tuple[str, ...]
    entry: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hooks:
    """Entries in the lists under `hooks`. Ours are those that run our hook of `client`."""

    client: str
    wanted: Callable[[Launch], Sequence[Hook]]

    def put(self, text: str, launch: Launch) -> str:
        wanted = self.wanted(launch)
        text = _take_hooks(text, self.client, wanted)
        for hook in wanted:
            if hook.entry not in jsonc.listed(text, hook.way):
                text = jsonc.append(text, hook.way, hook.entry)
        return text

    def take(self, text: str, launch: Launch) -> str:  # noqa: ARG002 - as all
        return _take_hooks(text, self.client, ())


@dataclass(frozen=True, slots=True)
class Server:
    """An MCP server at `way`. It is ours when a `locum mcp` starts it."""

    way: tuple[str, ...]
    wanted: Callable[[Launch], dict[str, Any]]

    def put(self, text: str, launch: Launch) -> str:
        there, wanted = jsonc.values(text, self.way), self.wanted(launch)
        if there is None:
            return jsonc.put(text, self.way, wanted)
        if not _starts_ours(there):
            raise UsageProblem(
                "agent.server",
                f"an MCP server called {self.way[-1]} is configured already, and it is no 'locum mcp'; nothing was written",
                "Give that one another name, then run this again.",
            )
        start = {name: wanted[name] for name in ("command", "args") if name in wanted}
        if all(there.get(name) == value for name, value in start.items()):
            return text  # what people have changed beside it stays
        return jsonc.put(jsonc.drop(text, self.way), self.way, {**there, **start})

    def take(self, text: str, launch: Launch) -> str:  # noqa: ARG002 - as all
        return jsonc.drop(text, self.way) if _starts_ours(jsonc.values(text, self.way)) else text


@dataclass(frozen=True, slots=True)
class Denied:
    """Rules in Claude Code's `permissions.deny`."""

    rules: Callable[[Launch], Sequence[str]]
    way = ("permissions", "deny")

    def put(self, text: str, launch: Launch) -> str:
        there = jsonc.listed(text, self.way)
        for rule in self.rules(launch):
            # `locum init agents`, and people, spell the same rule without the dot.
            if rule not in there and rule.replace("(./**/", "(**/") not in there:
                text = jsonc.append(text, self.way, rule)
        return text

    def take(self, text: str, launch: Launch) -> str:
        rules = set(self.rules(launch))
        for index, rule in reversed(list(enumerate(jsonc.listed(text, self.way)))):
            if rule in rules:
                text = jsonc.drop(text, (*self.way, index))
        return text


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """A member at `way`, only where nobody has one. Ours as long as it is as we wrote it."""

    way: tuple[str, ...]
    value: dict[str, Any]

    def put(self, text: str, launch: Launch) -> str:  # noqa: ARG002 - as all
        for depth in range(1, len(self.way) + 1):
            there = jsonc.values(text, self.way[:depth])
            if there is None:
                return jsonc.put(text, self.way, self.value)
            if not isinstance(there, dict):
                break
        return text

    def take(self, text: str, launch: Launch) -> str:  # noqa: ARG002 - as all
        return jsonc.drop(text, self.way) if jsonc.values(text, self.way) == self.value else text


@dataclass(frozen=True, slots=True)
class Version:
    """The `version` that a client wants at the top of a file: in one that we begin. It goes when nothing else is left."""

    number: int

    def put(self, text: str, launch: Launch) -> str:  # noqa: ARG002 - as all
        return text if jsonc.values(text) else jsonc.put(text, ("version",), self.number)

    def take(self, text: str, launch: Launch) -> str:  # noqa: ARG002 - as all
        return jsonc.drop(text, ("version",)) if jsonc.values(text) == {"version": self.number} else text


def _take_hooks(text: str, client: str, kept: Sequence[Hook]) -> str:
    """Take our entries out: all that run our hook, but one of each that is `kept`."""
    while (way := next(_stale(text, client, list(kept)), None)) is not None:
        text = jsonc.drop(text, way)
    return text


def _stale(text: str, client: str, kept: list[Hook]) -> Iterator[Way]:
    """Yield the ways to entries of ours, the last of a list first; somebody else's in the same group stays."""
    hooks = jsonc.values(text, ("hooks",))
    for event, entries in cast("dict[str, Any]", hooks).items() if isinstance(hooks, dict) else ():
        found: list[Way] = []
        for number, entry in enumerate(cast("list[Any]", entries) if isinstance(entries, list) else ()):
            way: Way = ("hooks", event, number)
            same = next((hook for hook in kept if hook.way == ("hooks", event) and hook.entry == entry), None)
            if same is not None:
                kept.remove(same)
                continue
            inner = cast("dict[str, Any]", entry).get("hooks") if isinstance(entry, dict) else None
            handlers = cast("list[Any]", inner if isinstance(inner, list) else [entry])
            ours = [index for index, handler in enumerate(handlers) if _runs(handler, client)]
            if ours and len(ours) == len(handlers):
                found.append(way)
            elif ours:
                found += [(*way, "hooks", index) for index in ours]
        yield from reversed(found)


def _runs(handler: Any, client: str) -> bool:
    if not isinstance(handler, dict):
        return False
    known = cast("dict[str, Any]", handler)
    arguments = known.get("args")
    words = " ".join(map(str, cast("list[Any]", arguments))) if isinstance(arguments, list) else ""
    return any(
        isinstance(line, str) and runs_hook(f"{line} {words}", client)
        for line in (known.get(name) for name in ("command", "bash", "powershell", "exec"))
    )


def _starts_ours(server: Any) -> bool:
    if not isinstance(server, dict):
        return False
    known = cast("dict[str, Any]", server)
    command, arguments = known.get("command"), known.get("args")
    words = cast(
        "list[Any]",
        command if isinstance(command, list) else [command, *(arguments if isinstance(arguments, list) else ())],
    )
    return len(words) > 1 and isinstance(words[0], str) and is_ours(words[0]) and words[1] == "mcp"
