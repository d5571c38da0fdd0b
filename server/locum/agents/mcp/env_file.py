"""A `.env` file as its readers see it: variables, and the file with references in the place of values. Pure."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from locum.detect.checks import is_placeholder
from locum.refs.proposal import speaks_of_secret
from locum.refs.reference import looks_like_reference

_SHORTEST = 4
"""Characters: what is shorter is a switch or a number, unless somebody says that it is a secret."""
_COMMENT = re.compile(r"[ \t]+#[^\n]*\Z")


@dataclass(frozen=True, slots=True)
class Variable:
    """One assignment. `start` and `end` are offsets (code points) of all of it in the text, `line` counts from 1."""

    name: str
    value: str = field(repr=False)
    start: int
    end: int
    line: int
    expands: bool
    """Its value is made of other variables."""


def variables(text: str) -> Iterator[Variable]:
    """Yield the assignments of a file, as python-dotenv reads them."""
    from dotenv.parser import parse_stream

    at = 0
    for binding in parse_stream(io.StringIO(text, newline="")):
        whole = binding.original.string
        if binding.key is not None and binding.value and not binding.error:
            line = binding.original.line + len(whole) - len(whole.lstrip("\n\r"))
            expands = re.search(r"\$[{(A-Za-z_]", binding.value) is not None
            yield Variable(binding.key, binding.value, at, at + len(whole), line, expands)
        at += len(whole)


def looks_secret(variable: Variable, *, found: bool, also: Collection[str]) -> bool:
    """Say whether a variable shall move; `found`: the scanner says that a secret stands there."""
    if looks_like_reference(variable.value):
        return False
    if found or variable.name in also:
        return True
    named = speaks_of_secret(variable.name.upper()) and len(variable.value) >= _SHORTEST
    return named and not is_placeholder(variable.value.encode("utf-8", "replace"))


def with_references(text: str, references: Mapping[Variable, str]) -> str:
    """Return the file's text with each of these variables' values replaced by its reference."""
    for variable in sorted(references, key=lambda item: item.start, reverse=True):
        whole = text[variable.start : variable.end]
        head, _, rest = whole.partition("=")
        blank = rest[: len(rest) - len(rest.lstrip(" \t"))]
        body = rest.rstrip("\r\n")
        comment = _COMMENT.search(body)
        keeps = comment is not None and "#" not in variable.value and variable.value not in comment[0]
        tail = (comment[0] if comment is not None and keeps else "") + rest[len(body) :]
        text = text[: variable.start] + head + "=" + blank + references[variable] + tail + text[variable.end :]
    return text
