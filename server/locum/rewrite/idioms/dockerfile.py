"""Dockerfiles: a RUN step gets the secret mounted as a variable; what would be baked into the image is taken out.

`RUN --mount=type=secret,env=…` came with Dockerfile syntax 1.10; a builder that does not know it stops with an error and
misreads nothing (release notes of the Dockerfile frontend; its reader of mounts).
"""

from __future__ import annotations

import re

from locum.rewrite.idioms import shell
from locum.rewrite.idioms.dockerfile_reader import Instruction, Reader, unquoted
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit

_AT_RUN_TIME = frozenset({"CMD", "ENTRYPOINT", "HEALTHCHECK"})
_HEALTH = re.compile(r"CMD[ \t]+", re.IGNORECASE)
_SHEBANG = re.compile(r"#!(?!.*\b(?:ba|da|a|k)?sh\b)")
_SHELL = re.compile(r"\[\s*\"(?:[^\"]*/)?(?:ba|da|a|k|z)?sh\"")
_OLD_SYNTAX = re.compile(r"(?:docker\.io/)?docker/dockerfile:1\.[0-9](?![0-9]).*|docker/dockerfile:0.*")
_STAYS = {
    "LABEL": "a label stays in the image for everybody to read: take it out",
    "COPY": "what is copied stays in the image: give the file at run time, or in 'RUN --mount=type=secret'",
    "ADD": "what is added stays in the image, and its address in the history: fetch it in 'RUN --mount=type=secret'",
}


def rewrite(target: Target) -> Plan:
    """Take the secret out of the image."""
    reader = Reader(target.text)
    if any(start <= target.start and target.end <= end for start, end in reader.comments):
        return target.as_prose("comment")
    instruction = next((found for found in reader.instructions if found.holds(target.start, target.end)), None)
    if instruction is None:
        raise NoSafeEdit("the secret is not in one instruction")
    if reader.directives.get("escape", "\\") != "\\":
        raise NoSafeEdit("this file has an escape character of its own")
    if instruction.name in {"ENV", "ARG"}:
        return _Variable(target, reader, instruction).plan()
    if instruction.name == "RUN":
        return _run(target, reader, instruction)
    if instruction.name in _AT_RUN_TIME:
        return _at_run_time(target, reader, instruction)
    raise NoSafeEdit(_STAYS.get(instruction.name, f"what {instruction.name} says stays in the image: take it out"))


def _run(target: Target, reader: Reader, instruction: Instruction) -> Plan:
    _check_syntax(reader)
    start, end = reader.command(instruction), instruction.end
    for document in instruction.documents:
        if document.start <= target.start and not target.text[start : document.opens].strip():  # it is the script
            start, end = document.start, document.end
    made = _in_shell(target, reader, instruction, start, end)
    edits = [*made.edits, *_mount(target, instruction, target.name)]
    note = made.note.partition("Run it under")[0] + _build_note(target)
    if re.search(r"(?<![<>=-])>", target.text[start:end]):
        note += " What the step writes into a file stays in the image."
    return target.plan(edits, bytes(made.value.view()), made.idiom, note)


def _at_run_time(target: Target, reader: Reader, instruction: Instruction) -> Plan:
    """What starts in the container reads the container's environment."""
    start = reader.command(instruction)
    if instruction.name == "HEALTHCHECK" and (command := _HEALTH.match(target.text, start)):
        start = command.end()
    made = _in_shell(target, reader, instruction, start, instruction.end)
    note = made.note.partition("Run it under")[0] + _start_note(target, target.name)
    return target.plan(made.edits, bytes(made.value.view()), made.idiom, note)


def _in_shell(target: Target, reader: Reader, instruction: Instruction, start: int, end: int) -> Plan:
    """Let the shell's idiom rewrite `[start, end)`, which alone it sees."""
    text = target.text
    if text[start:end].startswith("["):
        raise NoSafeEdit(
            "the form in brackets expands nothing: write the command without them, so that a shell reads it"
        )
    if _SHEBANG.match(text, start) or "\n" in target.raw:
        raise NoSafeEdit("this is no script that a shell reads, or the secret runs over lines")
    for earlier in reader.instructions:
        if earlier.name == "SHELL" and earlier.start < instruction.start and not _SHELL.match(text, earlier.body):
            raise NoSafeEdit("another shell than sh or bash reads it")
    hidden = [(0, start), *instruction.comments, (end, len(text))]
    pieces, at = list[str](), 0
    for first, last in sorted(hidden):
        pieces += [text[at:first], re.sub(r"[^\r\n]", " ", text[max(at, first) : last])]
        at = max(at, last)
    return shell.rewrite(Target("".join(pieces), target.start, target.end, target.name, target.path, "shellscript"))


def _check_syntax(reader: Reader) -> None:
    syntax = reader.directives.get("syntax", "")
    if _OLD_SYNTAX.fullmatch(syntax):
        raise NoSafeEdit(
            "a step gets a secret as a variable from Dockerfile syntax 1.10 on: write 'docker/dockerfile:1' in the first line"
        )
    if syntax and "docker/dockerfile" not in syntax:
        raise NoSafeEdit("this file has a syntax of its own")


def _mount(target: Target, instruction: Instruction, variable: str) -> list[Edit]:
    """Mount the secret in a step, unless it is."""
    flag = f"--mount=type=secret,id={target.name},env={variable}"
    if re.search(rf"{re.escape(flag)}(?![\w-])", target.text[instruction.body : instruction.line_end]):
        return []
    return [Edit(instruction.body, instruction.body, f"{flag},required=true ")]


def _build_note(target: Target) -> str:
    given = f"--secret id={target.name},env={target.name}"
    return (
        f"Build it with 'locum run --secret {target.name} -- docker build {given} .'."
        " This takes Dockerfile syntax 1.10 or newer: an older builder stops with an error."
    )


def _start_note(target: Target, variable: str) -> str:
    return f"Start it with 'locum run --secret {_given(target, variable)} -- docker run -e {variable} IMAGE'."


def _given(target: Target, variable: str) -> str:
    return variable if variable == target.name else f"{variable}={target.reference}"


class _Variable:
    """The secret in the value of an ENV or ARG."""

    def __init__(self, target: Target, reader: Reader, instruction: Instruction) -> None:
        self.target, self.reader, self.instruction = target, reader, instruction
        self.all = reader.assignments(instruction)
        found = next((one for one in self.all if one.value <= target.start and target.end <= one.end), None)
        if found is None:
            raise NoSafeEdit("the secret is not the value of one variable")
        self.assignment = found
        spelt = target.text[found.value : found.end]
        single = len(self.all) == 1 and target.text[found.value - 1] != "="
        self.value = unquoted(spelt.rstrip() if single else spelt)
        self.note = "" if spelt.strip("'\"") == target.raw else f"The whole value of {found.name} is stored. "

    def plan(self) -> Plan:
        name = self.assignment.name
        uses = [other for other in self.reader.instructions if self._uses(other)]
        steps = [other for other in uses if other.name == "RUN"]
        others = [other for other in uses if other.name not in {"RUN", *_AT_RUN_TIME}]
        if steps and not others:
            _check_syntax(self.reader)
        if self.instruction.name == "ARG":
            return self._argument(steps if not others else [])
        if others:
            raise NoSafeEdit(f"{others[0].name} takes the value into the image: give both at run time")
        edits = [*self._taken_out("give it at run time: docker run -e {0}"), *self._mounts(steps)]
        self.note += f"It is no longer in the image. {_start_note(self.target, name)}"
        if steps:
            self.note += f" {_build_note(self.target)}"
        else:
            self.note += f" If a RUN step needs it too, give it '--mount=type=secret,id={self.target.name},env={name}'."
        return self._made(edits)

    def _argument(self, steps: list[Instruction]) -> Plan:
        """Mount it where steps use it; else leave the argument without a default."""
        name = self.assignment.name
        if steps:
            self.note += _build_note(self.target)
            return self._made([*self._taken_out("mounted in the steps that use it"), *self._mounts(steps)])
        edit = Edit(self.assignment.start, self.assignment.end, name)
        given = f"locum run --secret {_given(self.target, name)} -- docker build --build-arg {name} ."
        self.note += (
            f"Build it with '{given}'. Build arguments stay in the image's history: where a RUN step needs it,"
            f" 'RUN --mount=type=secret,id={self.target.name},env={name}' leaves no trace."
        )
        return self._made([edit])

    def _made(self, edits: list[Edit]) -> Plan:
        return self.target.plan(edits, self.value, self.target.reference, self.note)

    def _uses(self, other: Instruction) -> bool:
        name = re.escape(self.assignment.name)
        text = self.target.text[other.body : other.end]
        return other is not self.instruction and re.search(rf"\$(?:{name}\b|\{{{name}[}}:+?#%/-])", text) is not None

    def _mounts(self, steps: list[Instruction]) -> list[Edit]:
        return [edit for step in steps for edit in _mount(self.target, step, self.assignment.name)]

    def _taken_out(self, why: str) -> list[Edit]:
        """Take the assignment away, and say in a comment where the value is."""
        target, one, instruction = self.target, self.assignment, self.instruction
        comment = f"# {one.name}: {target.reference}; {why.format(one.name)}"
        if len(self.all) == 1:
            return [Edit(instruction.start, instruction.line_end, comment)]
        index = self.all.index(one)
        start, end = (one.start, self.all[1].start) if index == 0 else (self.all[index - 1].end, one.end)
        if any(start < last and first < end for first, last in instruction.comments):
            raise NoSafeEdit("a comment stands beside it inside of the instruction: give it an instruction of its own")
        return [
            Edit(instruction.start, instruction.start, f"{comment}{target.newline}{self._margin()}"),
            Edit(start, end, ""),
        ]

    def _margin(self) -> str:
        before = self.target.text[: self.instruction.start]
        return before[before.rfind("\n") + 1 :]
