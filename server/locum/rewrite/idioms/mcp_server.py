"""One MCP server's definition in a settings text, as a client reads it: what starts it, with what, or where it is.

Knows the clients' names for things and what resolves variables in arguments; changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from locum.rewrite.idioms.mcp_clients import Client
from locum.rewrite.idioms.settings_text import Member, Syntax, Value

LAUNCHER = "locum"
URLS = ("url", "serverUrl", "httpUrl")
HEADERS = ("headers", "http_headers")
ENVIRONMENTS = ("env", "environment")
_CONTAINERS = {"docker", "podman", "nerdctl"}
_SHELLS = {"sh", "bash", "zsh", "dash", "ksh", "fish"}
_EXPANDING = {"envmcp", "mcpipe"}
"""Programs that are there to put variables into arguments."""
_ALONE = re.compile(
    r"-[ditP]+|--(rm|init|interactive|tty|detach|privileged|read-only|quiet|no-healthcheck|publish-all|sig-proxy)"
)
"""Options of `docker run` that take no value."""
_BRACED, _ANY = r"\$\{[A-Za-z_]\w*\}", r"\$.*"


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the command line."""

    text: str
    value: Value
    member: Member | None
    """Where it stands in its list; None for a `command` that is a string."""


@dataclass(frozen=True, slots=True)
class Server:
    """A definition."""

    text: str
    """The whole settings text."""
    syntax: Syntax
    client: Client
    label: str | int
    value: Value

    @property
    def program(self) -> Member | None:
        """What names the program; older settings of Zed have it one level down."""
        command = self.value.get("command")
        if command is not None and command.value.kind == "object":
            return command.value.get("path")
        return command

    @property
    def holder(self) -> Value:
        """The object that holds command and arguments."""
        command = self.value.get("command")
        return command.value if command is not None and command.value.kind == "object" else self.value

    @property
    def arguments(self) -> Member | None:
        """The list of arguments, where it is a list of its own."""
        return self.holder.get("args")

    @property
    def environment(self) -> Member | None:
        """The variables that it is started with."""
        return self.holder.get(*ENVIRONMENTS)

    @property
    def url(self) -> Member | None:
        """Where a remote server is."""
        return self.value.get(*URLS)

    def words(self) -> list[Word]:
        """Return the command line as it stands, `locum run` included. Empty where it is no list of strings."""
        program = self.program
        if program is None:
            return []
        listed = program if program.value.kind == "array" else self.arguments
        first = [] if program.value.kind == "array" else [Word(program.value.text, program.value, None)]
        items = listed.value.members if listed is not None else ()
        found = first + [Word(item.value.text, item.value, item) for item in items]
        return found if all(word.value.kind == "string" for word in found) else []

    def task(self) -> list[Word]:
        """Return the command line without the `locum run` in front of it."""
        words = self.words()
        if not is_launcher([word.text for word in words]):
            return words
        texts = [word.text for word in words]
        return words[texts.index("--") + 1 :] if "--" in texts else []

    def is_launched(self) -> bool:
        """Say whether it starts through `locum run`."""
        return is_launcher([word.text for word in self.words()])

    def given(self) -> dict[str, str]:
        """Return what `--secret NAME` or `--secret NAME=REF` names in front of the task: NAME, with REF or ""."""
        texts = [word.text for word in self.words()]
        found: dict[str, str] = {}
        for index, text in enumerate(texts[: texts.index("--")] if self.is_launched() and "--" in texts else []):
            option, has_value, value = text.partition("=")
            if option == "--secret" and (has_value or index + 1 < len(texts)):
                name, _, reference = (value if has_value else texts[index + 1]).partition("=")
                found[name] = reference
        return found


def is_launcher(words: Sequence[str]) -> bool:
    """Say whether this is `locum run …`."""
    return len(words) > 1 and _name(words[0]) == LAUNCHER and words[1] == "run"


def is_bridge(words: Sequence[str]) -> bool:
    """Say whether this is `locum bridge …`."""
    return len(words) > 1 and _name(words[0]) == LAUNCHER and words[1] == "bridge"


def expands(words: Sequence[str], index: int) -> str:
    """Return a pattern for what the program itself puts a value in the place of in the word at `index`, "" for nothing."""
    if is_bridge(words) and index > 1:
        return _BRACED
    if _name(words[0]) in _SHELLS and any(re.fullmatch(r"-\w*c", word) for word in words[1:index]):
        return _ANY
    if any(_name(word) in _EXPANDING for word in words[:index]):
        return _ANY
    return _BRACED if is_header_of_mcp_remote(words, index) else ""


def is_header_of_mcp_remote(words: Sequence[str], index: int) -> bool:
    """Say whether the word is a header for the `mcp-remote` package, which expands `${NAME}` in it (its README)."""
    return uses_mcp_remote(words[:index]) and words[index - 1] == "--header"


def uses_mcp_remote(words: Sequence[str]) -> bool:
    """Say whether one of the words starts the `mcp-remote` package."""
    return any(re.fullmatch(r"(.*/)?mcp-remote(@.*)?", word) for word in words)


def variable_of_container(words: Sequence[str], index: int) -> tuple[str, str] | None:
    """Return (before, `NAME=value`) of a word that gives `docker run` a variable; None for any other word."""
    if _name(words[0]) not in _CONTAINERS or "run" not in words[1:index]:
        return None
    at = words.index("run", 1) + 1
    while at < index:
        if not words[at].startswith("-"):
            return None  # the image: what follows is for the program in it
        if at + 1 == index and words[at] in {"-e", "--env"}:
            return "", words[index]
        at += 1 if "=" in words[at] or _ALONE.fullmatch(words[at]) or re.match(r"-e.", words[at]) else 2
    if at > index:
        return None
    match = re.fullmatch(r"(-e|--env=)(.+)", words[index], re.DOTALL)
    return (match[1], match[2]) if match else None


def _name(program: str) -> str:
    return PurePosixPath(program.replace("\\", "/")).name.removesuffix(".exe").removesuffix(".cmd")
