"""The question that a person answers, as text that cannot lie: hostile characters are shown, not obeyed."""

from __future__ import annotations

import secrets
import shlex
import unicodedata
from collections.abc import Container, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from locum.broker.wire import Grant, LeaseRequest

LEVEL = "L0"
LEVEL_TEXT = "L0 hygiene: the task and programs of the same user can read the values while it runs"

_MAX_ARGV = 600
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0\u2800"
"""Letters and signs that show as nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `lines` are ready to show; the other fields are for a user interface of its own."""

    id: str
    title: str
    lines: tuple[str, ...]
    names: tuple[str, ...]
    argv: tuple[str, ...]
    cwd: str
    level: str
    expires_in: int
    """Seconds until the question counts as answered with no."""

    def to_wire(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return asdict(self)


def visible(text: str) -> str:
    """Make control, bidirectional, zero-width and other unprintable characters visible as escapes."""
    return "".join(char if _is_plain(char) else char.encode("unicode_escape").decode("ascii") for char in text)


def _is_plain(char: str) -> bool:
    if char == " ":
        return True
    hides = char in _BLANK_LETTERS or unicodedata.category(char) in {"Cf", "Mn", "Me", "Zs"}
    return char.isprintable() and not hides


def show_argv(argv: Iterable[str]) -> str:
    """Return a command line as a shell would need it typed, on one line, its middle left out when it is very long."""
    text = visible(" ".join(shlex.quote(part) for part in argv))
    return text if len(text) <= _MAX_ARGV else f"{text[: _MAX_ARGV // 2]} … {text[-_MAX_ARGV // 2 :]}"


def lease_question(request: LeaseRequest, *, asked_by: str, expires_in: int) -> Question:
    """Make the question for a lease: task, command, folder, references, time, who asks, level."""
    names = tuple(dict.fromkeys(visible(grant.reference) for grant in request.grants))
    mounted = {file.path for file in request.files if file.mounted}
    rows = [
        ("command", show_argv(request.argv)),
        ("in", visible(request.cwd)),
        *(
            ("uses", f"{visible(g.reference)}  {_place(g, request.cwd, mounted)}  from {_source(g.source)}")
            for g in request.grants
        ),
        ("for", f"{_span(request.ttl)} at most; it ends with the task"),
        ("asked by", visible(asked_by)),
        ("level", LEVEL_TEXT),
    ]
    if request.task:
        rows.insert(0, ("task", visible(request.task)))
    if request.reason:
        rows.insert(-2, ("reason", f"{visible(request.reason[:200])}  (the asker's words)"))
    what = f"task {visible(request.task)}" if request.task else visible(request.argv[0].rpartition("/")[2])
    title = f"Let {what} use {_count(len(names))}?"
    lines = tuple(f"{label:<9} {text}" for label, text in rows)
    return Question(_new_id(), title, lines, names, request.argv, request.cwd, LEVEL, expires_in)


def change_question(verb: str, name: str, *, asked_by: str, expires_in: int) -> Question:
    """Make the question for replacing or deleting a stored secret."""
    lines = (f"{'secret':<9} {visible(name)}", f"{'asked by':<9} {visible(asked_by)}")
    return Question(_new_id(), f"{verb} {visible(name)} in your vault?", lines, (name,), (), "", LEVEL, expires_in)


def copy_question(name: str, new_name: str, *, asked_by: str, expires_in: int) -> Question:
    """Make the question for a second name of one value: whoever allows a task sees names, so a name is worth a yes."""
    lines = (
        f"{'secret':<9} {visible(name)}", f"{'new name':<9} {visible(new_name)}  (an approval will show this one)",
        f"{'asked by':<9} {visible(asked_by)}",
    )  # fmt: skip
    title = f"Give {visible(name)} a second name, {visible(new_name)}, in your vault?"
    return Question(_new_id(), title, lines, (name, new_name), (), "", LEVEL, expires_in)


def _new_id() -> str:
    return "q_" + secrets.token_hex(8)


def _place(grant: Grant, cwd: str, mounted: Container[str]) -> str:
    """Say where the task finds a value: in a variable, or in the rendered copy of a file."""
    if grant.env:
        return f"as ${visible(grant.env)}"
    name = visible(grant.file.removeprefix(cwd.rstrip("/") + "/"))
    return f"at {name}, in a mount that only the task sees" if grant.file in mounted else f"in a copy of {name}"


def _source(source: str) -> str:
    return "your local vault" if source == "local" else visible(source)


def _count(number: int) -> str:
    return "1 secret" if number == 1 else f"{number} secrets"


def _span(seconds: int) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
