"""The verdict on an event. What a text or a file holds is asked of a `Looker`; no text of a verdict holds a value.

Writes are judged closed: what cannot be looked at is stopped. Reads are judged open: what cannot be looked at goes through,
and what comes out of it is looked at once more.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locum.agents.hooks import commands
from locum.agents.hooks.event import ALLOW, Abilities, Event, Note, Verdict
from locum.agents.hooks.looking import Found, Looker, TooMuch
from locum.agents.hooks.redact import MARK, redacted, redacted_json, with_names

if TYPE_CHECKING:
    from pathlib import Path

    from locum.agents.hooks.caller import Caller

_MOST_SHOWN = 5
_MOST_FILES = 64
_MOST_GLOBBED = 200
_LONG_WORD = re.compile(r"[\w+=~.-]{20,}")
"""What a line must have before it is looked at for secrets: no vendor's form is shorter. Most lines have none."""
_TASK = "To use a secret, run a task: the tool run_task of Locum's MCP server, or `locum run --task NAME`"


@dataclass(frozen=True, slots=True)
class World:
    """What the judge may ask."""

    looker: Looker
    caller: Caller
    named: Callable[[str], str]
    """From a value to the name under which the vault has it, "" for none."""
    program: str
    """How a shell calls us, quoted."""
    abilities: Abilities = field(default_factory=Abilities)


def judge(event: Event, world: World) -> Verdict:
    """Return what to say to an event."""
    if event.kind == "prompt":
        return _prompt(event, world)
    if event.kind == "after":
        return _output(event, world)
    if event.kind != "before":
        return ALLOW
    verdict = _changes(event, world)
    if verdict.action == "allow" and event.reads:
        verdict = _reads(event, event.reads, world)
    if verdict.action == "allow" and event.tool == "shell":
        verdict = _command(event, world)
    return verdict


# -- writes -----------------------------------------------------------------------------------------------------


def _changes(event: Event, world: World) -> Verdict:
    if event.tool == "write" and not event.changes:
        return _denied("this write does not say what it writes, and was stopped", "Write the file with another tool.")
    notes: list[Note] = []
    for change in event.changes:
        shown = _shown(change.path)
        texts = [change.text or "", *(new for _, new, _ in change.replacements)]
        if any(MARK in text for text in texts):
            return _denied(
                f"the new text of {shown} holds Locum's mark of a secret that no vault has: writing it would lose the value",
                f"Leave those lines as they are. The person can run `locum fix {_quoted(shown)}`; then a reference stands there.",
            )
        try:
            judged = world.looker.in_change(change)
        except TooMuch:
            return _denied(
                f"the new text of {shown} is too long to be looked at for secrets", "Write it in smaller parts."
            )
        if judged is None:
            return _denied(
                f"{shown} holds a plaintext secret, and this edit replaces text that is not in what may be seen of the file",
                f"The person can run `locum fix {_quoted(shown)}`; then it can be read and edited as a whole.",
            )
        found = judged.found
        if found:
            first = found[0]
            return _denied(
                f"{shown} would hold {_count(found)}",
                *_lines(found),
                f"Write {first.reference} in its place, or read the variable {first.name} in code. The value itself is asked of "
                f"the person: the tool request_secret, or `locum secret set {first.name}` in a terminal. {_TASK}.",
                notes=_blocked(event, found, change.path),
            )
        notes.append(Note("writes", {"path": change.path, "had": judged.had}))
    return Verdict(notes=tuple(notes))


# -- reads and commands -------------------------------------------------------------------------------------------


def _reads(event: Event, names: Iterable[str], world: World) -> Verdict:
    for path in _paths(names, world.looker):
        found = _in_file(path, world.looker)
        if found:
            shown = _shown(str(path))
            return _denied(
                f"{shown} holds {_count(found)}, which would enter this conversation",
                *_lines(found),
                f"The person can run `locum fix {_quoted(shown)}` (or you: import_env, replace_plaintext); then a reference "
                f"stands there, and it can be read. {_TASK}.",
                notes=_blocked(event, found, str(path)),
            )
    return ALLOW


def _command(event: Event, world: World) -> Verdict:
    reading = commands.read(event.command)
    if reading.unsure and reading.encoded:
        return _denied(
            "this encodes what cannot be looked at beforehand: no mask would know a secret in it again",
            "Run it without the encoding.",
        )
    if reading.masked and not reading.encoded:
        return ALLOW
    if reading.process:
        return _denied("another process's memory and environment may hold secrets", f"{_TASK}.")
    if reading.credential:
        return _denied(
            f"`{reading.credential}` prints a credential into this conversation",
            "Declare it in locum.toml (source = a reference to it) and use it by name. " + _TASK + ".",
        )
    shown = _variables(reading, world)
    if shown:
        names = ", ".join(shown[:_MOST_SHOWN])
        return _denied(
            f"this prints variables that hold secrets: {names}",
            f"A command that needs one: `locum run --secret {shown[0]} -- COMMAND` (its output is masked).",
        )
    verdict = _line(event.command, world)
    if verdict.action == "allow":
        verdict = _reads(event, reading.files, world)
    if verdict.action != "allow" or not reading.unsure or world.abilities.redacts:
        return verdict
    line = f"{world.program} mask -- sh -c {shlex.quote(event.command)}"
    if world.abilities.rewrites:
        return Verdict("rewrite", input={**event.input, **_same_key(event, line)})
    return _denied(
        "this shows more than can be looked at beforehand",
        f"Run it with its output masked: `{line}`" if len(line) < 400 else "Run it as `locum mask -- COMMAND`.",
    )


def _line(line: str, world: World) -> Verdict:
    """Stop a line with a vendor's form in it: it would be written somewhere, or stand in the process table."""
    if not _LONG_WORD.search(line):
        return ALLOW
    try:
        found = [secret for secret in world.looker.in_text(line) if not secret.generic]
    except TooMuch:
        return _denied("this command line is too long to be looked at for secrets", "Put it into a file of its own.")
    if not found:
        return ALLOW
    return _denied(
        f"this command line holds {_count(found)}",
        *_lines(found),
        f"Write {found[0].reference} in its place; a command that needs the value: "
        f"`locum run --secret {found[0].name} -- COMMAND`. The value itself is asked of the person.",
    )


def _same_key(event: Event, line: str) -> dict[str, str]:
    return {key: line for key, value in event.input.items() if value == event.command}


def _variables(reading: commands.Reading, world: World) -> list[str]:
    """Return the names of the variables with secrets in them that a command would print."""
    if not reading.all_variables and not reading.variables:
        return []
    environment = world.caller.variables()
    wanted = environment if reading.all_variables else {name: environment.get(name, "") for name in reading.variables}
    shown: list[str] = []
    for name, value in sorted(wanted.items()):
        try:
            if value and any(True for _ in world.looker.in_text(f"{name}={value}\n")):
                shown.append(_shown(name))
        except TooMuch:
            shown.append(_shown(name))
    return shown


def _paths(names: Iterable[str], looker: Looker) -> list[Path]:
    paths: dict[Path, None] = {}
    for name in names:
        path = looker.path(name.replace("${HOME}", "~").replace("$HOME", "~"))
        if path is None:
            continue
        if any(character in name for character in "*?["):
            paths |= dict.fromkeys(_globbed(path))
        else:
            paths[path] = None
        if len(paths) > _MOST_FILES + _MOST_GLOBBED:
            break
    return list(paths)


def _globbed(pattern: Path) -> list[Path]:
    import glob
    from itertools import islice
    from pathlib import Path

    return [Path(name) for name in islice(glob.iglob(str(pattern), include_hidden=True), _MOST_GLOBBED)]  # noqa: PTH207 - a pattern with a folder in it


def _in_file(path: Path, looker: Looker) -> list[Found]:
    try:
        return looker.in_file(path)
    except TooMuch:
        return []  # what comes out of it is looked at


# -- output and prompts -------------------------------------------------------------------------------------------


def _output(event: Event, world: World) -> Verdict:
    if event.output is None or not world.abilities.redacts:
        return ALLOW
    count = 0

    def redact(text: str) -> str:
        nonlocal count
        if len(text) < 8:
            return text
        try:
            found = world.looker.in_text(text)
        except TooMuch:
            count += 1
            return f"{MARK}too long to be looked at for secrets>"
        count += len(found)
        return redacted(text, found, world.named) if found else text

    try:
        output = redacted_json(event.output, redact)
    except RecursionError:
        output, count = f"{MARK}too deep to be looked at for secrets>", 1
    if not count:
        return ALLOW
    return Verdict(
        "replace",
        f"Locum took {count} secret{'s' if count > 1 else ''} out of this output.",
        output=output,
        context="References (locum://NAME) and marks stand in the place of secrets. " + _TASK + ".",
        notes=(Note("redacted", {"count": count, "tool": event.tool_name}),),
    )


def _prompt(event: Event, world: World) -> Verdict:
    """Stop a prompt for vendors' forms only: people talk about passwords."""
    try:
        found = [secret for secret in world.looker.in_text(event.prompt) if not secret.generic]
    except TooMuch:
        return ALLOW
    if not found:
        return ALLOW
    kept: dict[str, str] = {}
    lines: list[str] = []
    for secret in found:
        value = event.prompt[secret.start : secret.end]
        if value in kept:
            continue
        name = world.named(value)
        if not name and (name := world.caller.store(secret.name, value)):
            lines.append(f"Stored as {name}.")
        elif not name:
            lines.append(f"Store it in a terminal: `locum secret set {secret.name}`")
        kept[value] = name or secret.name
    cleaned = with_names(event.prompt, found, [kept[event.prompt[secret.start : secret.end]] for secret in found])
    cause = f"Locum stopped this prompt before the model saw it: it holds {_count(found)}."
    reason = "\n".join([cause, *lines, "Then send this:" if lines else "Send this:", "", cleaned])
    return Verdict("deny", reason, notes=_blocked(event, found, ""))


# -- words --------------------------------------------------------------------------------------------------------


def _denied(cause: str, *more: str, notes: tuple[Note, ...] = ()) -> Verdict:
    return Verdict("deny", "\n".join([f"Locum: {cause}.", *more]), notes=notes)


def _blocked(event: Event, found: Sequence[Found], path: str) -> tuple[Note, ...]:
    about: dict[str, str] = {"event": event.name, **({"path": path} if path else {})}
    return tuple(Note("blocked", {"rule": secret.rule, "line": secret.line, **about}) for secret in found[:_MOST_SHOWN])


def _count(found: Sequence[Found]) -> str:
    return "a plaintext secret" if len(found) == 1 else f"{len(found)} plaintext secrets"


def _lines(found: Sequence[Found]) -> list[str]:
    lines = [
        f"  line {secret.line}: {secret.title} ({secret.rule}), {secret.reference}" for secret in found[:_MOST_SHOWN]
    ]
    return [*lines, f"  and {len(found) - _MOST_SHOWN} more"] if len(found) > _MOST_SHOWN else lines


def _shown(name: str) -> str:
    """Return a name for a message: printable, bounded."""
    shown = "".join(character if character.isprintable() else "?" for character in name)
    return shown if len(shown) <= 120 else f"…{shown[-119:]}"


def _quoted(name: str) -> str:
    return shlex.quote(name)
