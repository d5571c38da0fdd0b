"""`locum://NAME` inside a longer text in which a program puts the values: where each one begins and ends.

Such a text has the bare form, or `{locum://NAME}` where what follows would be read as more of the reference. A field or
an environment has no place here: the program knows values by their names alone. Text in, text out; knows no program.
"""

from __future__ import annotations

from dataclasses import dataclass

from locum.refs.reference import Occurrence, Reference, ReferenceProblem, find, locum_reference

_SCHEME = "locum://"


@dataclass(frozen=True, slots=True)
class Embedded:
    """A name whose value goes to `[start, end)` of a text (code points), braces included."""

    start: int
    end: int
    name: str


def is_bare(reference: Reference | None) -> bool:
    """Say whether it is `locum://NAME` and nothing more."""
    return reference is not None and reference.text == _SCHEME + reference.name


def embedded(text: str) -> list[Embedded]:
    """Return all references of a text, in its order. Raises ReferenceProblem for one that would not be filled in."""
    found = [item for item in find(text) if item.text.startswith(_SCHEME)]
    if len(found) != text.count(_SCHEME) or not all(is_bare(item.reference) for item in found):
        raise ReferenceProblem("a reference inside a text is locum://NAME, without ?env= and #field")
    places = [_with_braces(text, item) for item in found]
    if any(
        place.end > item.end and text[: place.start].endswith("$") for place, item in zip(places, found, strict=True)
    ):
        raise ReferenceProblem("a reference has no '$' before its braces")  # it would be sent with the value
    return places


def embed(left: str, name: str, right: str) -> str:
    """Return what to write between `left` and `right`, so that `embedded` finds it there. Raises ReferenceProblem."""
    bare = locum_reference(name)
    if left.endswith("$"):  # some programs would take `$locum` or `${…}` for a variable
        raise ReferenceProblem("a reference has no '$' before it")
    ends = any((item.start, item.text) == (len(left), bare) for item in find(left + bare + right))
    if ends and not (left.endswith("{") and right.startswith("}")):  # braces of the text's own stay
        return bare
    return f"{{{bare}}}"


def _with_braces(text: str, item: Occurrence) -> Embedded:
    name = item.text.removeprefix(_SCHEME)
    if text[: item.start].endswith("{") and text.startswith("}", item.end):
        return Embedded(item.start - 1, item.end + 1, name)
    return Embedded(item.start, item.end, name)
