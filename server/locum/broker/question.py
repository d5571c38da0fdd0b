"""The question that a person answers, as text that cannot lie: hostile characters are shown, not obeyed."""

from __future__ import annotations

import secrets
import shlex
import time
import unicodedata
from collections.abc import Container, Iterable, Sized
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from locum.broker.level import L0
from locum.broker.wire import SETTINGS, Grant, LeaseRequest

if TYPE_CHECKING:
    from locum.broker.judging import Judged

_MAX_ARGV = 600
_MOST_FILES = 6
_INDENT = 10
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
    changes: tuple[str, ...] = ()
    """What is new since the last yes to this task; also among `lines`."""
    may_stand_for: int = 0
    """Seconds for which a yes may stand for exactly this; 0: this once only."""
    production: bool = False
    value_for: str = ""
    """The new name for which a person types a value, which goes straight into the vault; a yes says that it is there."""

    def standing(self, title: str) -> Question:
        """Return the same question about a yes that is to stand: then `y` is that yes, and there is no other one."""
        return replace(self, title=title, may_stand_for=0)

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
    if len(text) <= _MAX_ARGV:
        return text
    half = _MAX_ARGV // 2
    return f"{text[:half]} […{len(text) - 2 * half} characters left out…] {text[-half:]}"


def lease_question(judged: Judged, *, asked_by: str, expires_in: int, session: str = "") -> Question:
    """Make the question for a lease: task, command, folder, references, time, what is new, who asks, level.

    `session` says in a few words which agent's session the lease will end with, "" for none.
    """
    request, content = judged.request, judged.content
    names = tuple(dict.fromkeys(visible(grant.reference) for grant in request.grants))
    mounted = {file.path for file in request.files if file.mounted}
    covered = [item for item in content.files if item.path not in mounted and item.why != SETTINGS]
    new = tuple(visible(line) for line in judged.changes)
    rows = [
        ("task", visible(request.task) if request.task else ""),
        ("command", show_argv(request.argv)),
        ("program", visible(request.program) if _is_unusual(request) else ""),
        ("in", visible(request.cwd)),
        *(
            ("uses", f"{visible(g.reference)}  {_place(g, request, mounted)}  from {_source(g.source)}")
            for g in request.grants
        ),
        ("passes", visible(" ".join(request.passes))),
        ("settings", *(f"of {_short(file.path, request.cwd)}" for file in request.settings)),
        ("runs", ", ".join(_short(item.path, request.cwd) for item in covered[:_MOST_FILES]) + _more(covered)),
        ("", *(f"not looked into: {visible(path)}" for path in content.left_out[:_MOST_FILES])),
        ("for", _time(judged)),
        ("reason", f"{visible(request.reason[:200])}  (the asker's words)" if request.reason else ""),
        ("since", f"your last yes, {_ago(judged.seen)}:" if new else ""),
        *(("", f"  {line}") for line in new),
        ("policy", *(visible(remark) for remark in judged.remarks)),
        ("asked by", visible(asked_by)),
        ("session", visible(session)),
        ("level", str(judged.level)),
    ]
    what = f"task {visible(request.task)}" if request.task else visible(request.argv[0].rpartition("/")[2])
    kind = "PRODUCTION " if judged.production else ""
    title = f"Let {what} use {_count(len(names), kind)}?"
    lines = tuple(
        f"{label if not at else '':<9} {text}" for label, *texts in rows for at, text in enumerate(texts) if text
    )
    return Question(
        _new_id(), title, lines, names, request.argv, request.cwd, judged.level.name, expires_in, new,
        judged.decision.may_stand_for, judged.production,
    )  # fmt: skip


def policy_question(title: str, lines: tuple[str, ...], *, asked_by: str, expires_in: int) -> Question:
    """Make the question for a change of the policy that is no lease: `lines` are shown as they are, made visible."""
    shown = (*(visible(line) for line in lines), f"{'asked by':<9} {visible(asked_by)}")
    return Question(_new_id(), title, shown, ("your policy",), (), "", L0.name, expires_in)


def change_question(verb: str, name: str, *, asked_by: str, expires_in: int) -> Question:
    """Make the question for replacing or deleting a stored secret."""
    lines = (f"{'secret':<9} {visible(name)}", f"{'asked by':<9} {visible(asked_by)}")
    return Question(_new_id(), f"{verb} {visible(name)} in your vault?", lines, (name,), (), "", L0.name, expires_in)


def pair_question(*, asked_by: str, expires_in: int) -> Question:
    """Make the question for a second editor: who answers questions decides who gets secrets."""
    lines = (f"{'editor':<9} {visible(asked_by)}", f"{'then':<9} it is asked too, and the first answer counts")
    title = "Let another editor answer these questions too?"
    return Question(_new_id(), title, lines, ("the channel",), (), "", L0.name, expires_in)


def copy_question(name: str, new_name: str, *, asked_by: str, expires_in: int) -> Question:
    """Make the question for a second name of one value: whoever allows a task sees names, so a name is worth a yes."""
    lines = (
        f"{'secret':<9} {visible(name)}", f"{'new name':<9} {visible(new_name)}  (an approval will show this one)",
        f"{'asked by':<9} {visible(asked_by)}",
    )  # fmt: skip
    title = f"Give {visible(name)} a second name, {visible(new_name)}, in your vault?"
    return Question(_new_id(), title, lines, (name, new_name), (), "", L0.name, expires_in)


def value_question(name: str, reason: str, *, asked_by: str, expires_in: int) -> Question:
    """Make the question for a value that only a person knows."""
    lines = (
        f"{'secret':<9} {visible(name)}, new in your vault",
        *((f"{'reason':<9} {visible(reason[:200])}  (the asker's words)",) if reason else ()),
        f"{'asked by':<9} {visible(asked_by)}, which does not see what you type",
    )
    title = f"Store {visible(name)} in your vault?"
    return Question(_new_id(), title, lines, (name,), (), "", L0.name, expires_in, value_for=name)


def _new_id() -> str:
    return "q_" + secrets.token_hex(8)


_USUAL_PLACES = frozenset(("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"))
"""Where a program is what its name says, unless somebody is root."""


def _is_unusual(request: LeaseRequest) -> bool:
    """Say whether the asker's search path leads a bare name to a place that a person does not think of."""
    bare = bool(request.program) and "/" not in request.argv[0]
    return bare and request.program.rpartition("/")[0] not in _USUAL_PLACES


_ARRIVES = {
    "env": "as ${name}",
    "file": "in a file in memory, whose path is in ${name}",
    "fd": "in sealed memory, whose path is in ${name}",
    "stdin": "on its standard input",
    "fifo": "through a pipe that can be read once, whose path is in ${name}",
}
"""How a value arrives, one row a channel."""


def _place(grant: Grant, request: LeaseRequest, mounted: Container[str]) -> str:
    """Say where the task finds a value: in a variable, a file of its own, or the rendered copy of a file."""
    if not grant.env:
        name = _short(grant.file, request.cwd)
        return f"at {name}, in a mount that only the task sees" if grant.file in mounted else f"in a copy of {name}"
    if request.channel == "proxy":
        return f"as a placeholder in ${visible(grant.env)}; the value goes to {visible(' '.join(grant.hosts))} only"
    return _ARRIVES[request.channel].replace("{name}", visible(grant.env))


def _short(path: str, folder: str) -> str:
    return visible(path.removeprefix(folder.rstrip("/") + "/"))


def _more(items: Sized) -> str:
    return f" and {len(items) - _MOST_FILES} more" if len(items) > _MOST_FILES else ""


def _time(judged: Judged) -> str:
    request, limit = judged.request, judged.decision.max_ttl
    text = f"{_span(min(request.ttl, limit) if limit else request.ttl)} at most"
    longest = min(request.max_ttl, limit) if limit else request.max_ttl
    if longest > request.ttl:
        text += f", renewed up to {_span(longest)} while it runs"
    text += "; it ends with the task"
    if request.uses > 1:
        text += f"; the values may be taken {request.uses} times"
    return text if request.die_with_broker else text + "; it goes on when the broker ends"


def _ago(when: int) -> str:
    seconds = max(0, int(time.time()) - when)
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "just now"


def _source(source: str) -> str:
    return "your local vault" if source == "local" else visible(source)


def _count(number: int, kind: str) -> str:
    return f"1 {kind}secret" if number == 1 else f"{number} {kind}secrets"


def _span(seconds: int) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def boxed(lines: Iterable[str], width: int) -> list[str]:
    """Return lines in a box's left edge, each at most `width` columns: what is longer goes on indented, never by itself.

    A text cannot look like a line of ours: where it is broken, what follows stands under its text, behind the edge.
    """
    room = max(20, width - 2)
    return [f"│ {piece}" for line in lines for piece in _wrapped(line, room)]


def _wrapped(line: str, room: int) -> list[str]:
    pieces: list[str] = []
    indent = " " * _INDENT
    piece, used, broken = "", 0, -1
    for char in line:
        columns = 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
        if used + columns > room:
            at = broken if broken > _INDENT else len(piece)
            pieces.append(piece[:at].rstrip(" "))
            piece = indent + piece[at:].lstrip(" ")
            used = sum(2 if unicodedata.east_asian_width(other) in {"W", "F"} else 1 for other in piece)
            broken = -1
        if char == " " and len(piece) > _INDENT:
            broken = len(piece)
        piece += char
        used += columns
    return [*pieces, piece]
