"""What a client is about to do or has done, and what we say to it: the same for all clients. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["start", "prompt", "before", "after", "end", "other"]
Tool = Literal["shell", "read", "write", "other"]


@dataclass(frozen=True, slots=True)
class Change:
    """What a tool would write to one file."""

    path: str
    text: str | None = None
    """The whole new text; None: the replacements below are made in the text that is there."""
    replacements: tuple[tuple[str, str, bool], ...] = ()
    """(old, new, everywhere) in order; an old text that is "" stands for the end of the file."""


@dataclass(frozen=True, slots=True)
class Event:
    """One call of a hook. Texts are as the client gave them: hostile."""

    client: str
    kind: Kind
    name: str
    """The client's own name for the event."""
    session: str = ""
    cwd: str = ""
    tool: Tool = "other"
    tool_name: str = ""
    input: dict[str, Any] = field(default_factory=dict[str, Any])
    """The tool's arguments, as the client passes them."""
    command: str = ""
    """The line that a shell would run."""
    reads: tuple[str, ...] = ()
    """Files that a tool would show."""
    changes: tuple[Change, ...] = ()
    prompt: str = ""
    output: Any = None
    """What the tool gave back: a text, or the client's JSON."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a client does with a verdict."""

    rewrites: bool = False
    """A command can be replaced before it runs."""
    redacts: bool = False
    """A tool's output can be replaced before the model sees it."""


@dataclass(frozen=True, slots=True)
class Note:
    """What the journal of the session is told: `kind` and fields as `agents.sessions.journal.note` has them."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What we say. No text of it holds a value."""

    action: Literal["allow", "deny", "rewrite", "replace"] = "allow"
    reason: str = ""
    """For the model and the person: why, and what to do instead."""
    input: dict[str, Any] = field(default_factory=dict[str, Any])
    """With `rewrite`: the tool's arguments to use."""
    output: Any = None
    """With `replace`: what the model is to see, in the shape of the event's output."""
    context: str = ""
    """Said to the model in addition."""
    notes: tuple[Note, ...] = ()


ALLOW = Verdict()


@dataclass(frozen=True, slots=True)
class Reply:
    """What the hook's process writes and returns."""

    stdout: str = ""
    stderr: str = ""
    code: int = 0


class Unreadable(Exception):
    """The client sent what its documentation does not allow. The text is safe to show."""


class CallerAnswers(Exception):
    """The answer depends on the variables of the client's shells, or takes a person: the resident leaves it to the caller."""
