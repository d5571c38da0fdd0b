"""Terraform's state and variables, and what stays in container images (`ENV`, `ARG`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from locum.detect.formats.jsontext import Value, values
from locum.detect.formats.judging import is_secret_name, looks_chosen, stands_for_itself
from locum.detect.formats.model import Expression, Slot, Source

RULE = "terraform-secret"

_VARIABLE = Expression(
    rb"""(?m)^[ \t]*"?(?P<name>[\w.-]{1,80})"?[ \t]*[=:][ \t]*"(?P<value>(?:[^"\\\r\n$]|\\.|\$(?!\{)){3,2000})"
    [ \t]*,?[ \t]*(?:(?:\#|//).*)?\r?$"""
)
_IMAGE = Expression(
    rb"""(?mi)^[ \t]*(?:ENV|ARG)[ \t]+(?P<name>\w{1,80})(?:[ \t]+|=)
    (?:"(?P<double>[^"\r\n$]{1,1000})"|'(?P<single>[^'\r\n]{1,1000})'|(?P<bare>[^\s"'$\\][^\s"'\\]{0,1000}))"""
)
_MORE = Expression(
    rb"""[ \t]+(?:\\\r?\n[ \t]*)?(?P<name>\w{1,80})=
    (?:"(?P<double>[^"\r\n$]{1,1000})"|'(?P<single>[^'\r\n]{1,1000})'|(?P<bare>[^\s"'$\\][^\s"'\\]{0,1000}))"""
)


def state_at(source: Source, _at: int) -> Iterable[Slot]:
    """Read a state whatever its file is called."""
    return () if source.path.endswith(".tfstate") else state(source)


def state(source: Source) -> Iterable[Slot]:
    """Read attributes and outputs that are named or marked as secrets, once."""
    if source.done.get(RULE):
        return
    source.done[RULE] = 1
    data, found = source.data, _State()
    for value in values(data, source.work):
        keys = value.keys
        if b"sensitive_attributes" in keys:
            found.mark(data, value)
        elif keys[0] == b"outputs" and len(keys) == 3:
            found.output(value)
        elif value.text and b"attributes" in keys:
            name = next(key for key in reversed(keys) if key != b"[]")
            if not is_secret_name(name):
                found.attribute(value, name)
            elif looks_chosen(data[value.start : value.end]):
                yield Slot(value.start, value.end, name, RULE, "attribute in a state")
    for name, start, end, why in found.marked():
        if stands_for_itself(data[start:end]):
            yield Slot(start, end, name, RULE, why)


class _State:
    """What a state says of itself, until all of it is read: marks may come after what they mark."""

    def __init__(self) -> None:
        self._marks: set[tuple[int, bytes]] = set()
        self._attributes: list[tuple[int, bytes, int, int]] = []
        self._outputs: list[tuple[int, bytes, int, int]] = []
        self._sensitive: set[int] = set()

    def mark(self, data: bytes, value: Value) -> None:
        if value.text and value.keys[-1] == b"value":
            holder = value.containers[value.keys.index(b"sensitive_attributes")]
            self._marks.add((holder, data[value.start : value.end]))

    def output(self, value: Value) -> None:
        if value.keys[2] == b"value" and value.text:
            self._outputs.append((value.containers[-1], value.keys[1], value.start, value.end))
        elif value.keys[2] == b"sensitive" and not value.text:
            self._sensitive.add(value.containers[-1])

    def attribute(self, value: Value, name: bytes) -> None:
        top = value.keys.index(b"attributes")
        self._attributes.append((value.containers[top], [*value.keys, name][top + 1], value.start, value.end))

    def marked(self) -> Iterator[tuple[bytes, int, int, str]]:
        for holder, name, start, end in self._outputs:
            if holder in self._sensitive:
                yield name, start, end, "output that is marked as sensitive"
        for holder, name, start, end in self._attributes:
            if (holder, name) in self._marks:
                yield name, start, end, "attribute that is marked as sensitive"


def variables(source: Source) -> Iterable[Slot]:
    """Read a file of variables."""
    for match in _VARIABLE.compiled.finditer(source.data):
        if not source.work.take():
            return
        if is_secret_name(match["name"]) and stands_for_itself(match["value"]):
            yield Slot(*match.span("value"), match["name"], RULE, "value of a variable")


def image(source: Source) -> Iterable[Slot]:
    """Read the variables that a Dockerfile sets."""
    for first in _IMAGE.compiled.finditer(source.data):
        match = first
        while match is not None and source.work.take():
            group = next(group for group in ("double", "single", "bare") if match[group] is not None)
            if is_secret_name(match["name"]) and looks_chosen(match[group]):
                yield Slot(*match.span(group), match["name"], "build-argument-secret", "variable of an image")
            match = _MORE.compiled.match(source.data, match.end(), match.end() + 1200)


AT = {'"sensitive_attributes"': state_at, '"terraform_version"': state_at}
ENDINGS = {
    ".tfstate": state, ".tfstate.backup": state, ".tfvars": variables, ".tfvars.json": variables, ".pkrvars.hcl": variables,
    ".dockerfile": image,
}  # fmt: skip
NAMES = {"dockerfile": image, "containerfile": image}
