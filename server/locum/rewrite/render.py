"""The way back: a configuration file with references becomes one with values, each spelt as its place needs it. Pure.

The result is for a program that reads the file under `locum run --render` or `--mount`, and for nobody else: it stays in memory.
What stands in a comment stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from locum.refs.reference import find
from locum.rewrite.idioms import kubernetes
from locum.rewrite.idioms.json_reader import JsonProblem
from locum.rewrite.idioms.place import Place
from locum.rewrite.idioms.places import BASE64, places, reads
from locum.rewrite.idioms.spelling import STYLES, spell
from locum.rewrite.target import NoSafeEdit
from locum.secret import SecretBytes
from locum.text.edits import Edit, apply_edits

_LINE_END = re.compile(r"\r\n|\n|\r")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\"'`\\]|\$[\w{(]|%\{|\{\{")
"""What no unknown syntax is trusted with: quotes, escapes, line ends and expansions."""

_HEADER = re.compile(r"(?:>[+-]?|[|>][+-]?[1-9][+-]?)[ \t]*(?:#[^\r\n]*)?(?:\r\n|\n|\r)?\Z")
"""Of a block that is folded, or whose indent is set: a value of several lines would change in it."""

Values = Mapping[str, SecretBytes]


def references_in(text: str, kind: str = "") -> list[str]:
    """Return the references that `render` would replace, each once, in order.

    Without a kind that is known (see `languages.kind_of`), those in comments are among them. Raises NoSafeEdit for a
    file that cannot be read.
    """
    found: dict[str, None] = {}

    def note(body: str) -> None:
        found.update((occurrence.text, None) for occurrence in find(body) if occurrence.reference)

    for _, body in _bodies(text, kind):
        note(body)
    return list(found)


def render(text: str, kind: str, values: Values) -> SecretBytes:
    """Return the text, in UTF-8, with the values in the place of those references that are keys of `values`.

    Keys are references as they stand in the text, `locum://NAME`; others stay. `kind` is the idiom's key, see
    `languages.kind_of`. Raises NoSafeEdit for a value that cannot stand where its reference does, and for a file that
    cannot be read; the reason names the reference and holds no part of a value.
    """
    edits: list[Edit] = []
    for place, body in _bodies(text, kind):
        used = [occurrence.text for occurrence in find(body) if occurrence.text in values]
        if not used:
            continue
        try:
            edits.append(_edit(text, place, body, values))
        except NoSafeEdit as problem:
            raise NoSafeEdit(f"{', '.join(dict.fromkeys(used))} cannot stand here: {problem.reason}") from None
    try:
        return SecretBytes(apply_edits(text, edits).encode())
    except UnicodeEncodeError:  # the error holds the text
        raise NoSafeEdit("the file is no text in UTF-8") from None


def _bodies(text: str, kind: str) -> Iterator[tuple[Place, str]]:
    """Yield the places that hold something like a reference, with what they mean."""
    if not reads(kind):
        yield Place("", 0, len(text)), text
        return
    try:
        for place in places(text, kind):
            body = text[place.start : place.end]
            style = place.style.removeprefix(BASE64)
            if style == "comment" or ":" not in body:
                continue
            if style in STYLES:
                try:
                    body = STYLES[style].decode(body)
                except NoSafeEdit:  # matters only where there is a reference, and there it is told
                    style = ""
            if "://" in body:
                yield place, body
    except JsonProblem:
        raise NoSafeEdit("the file is no valid JSON: mend that first") from None


def _edit(text: str, place: Place, body: str, values: Values) -> Edit:
    style = place.style
    if style.startswith(BASE64):
        return _base64(text, place, body, values)
    if not style:
        return Edit(place.start, place.end, _replaced(body, values, _raw))
    if style == "yaml-lines":
        raise NoSafeEdit("the value around it runs over several lines: put it on one")
    if style == "yaml-block":
        return Edit(place.start, place.end, _replaced(body, values, _block_filler(text, place)))
    STYLES[style].decode(text[place.start : place.end])
    value = _replaced(body, values, lambda value, _: value)
    return _spelt(place, style, value)


def _spelt(place: Place, style: str, value: str) -> Edit:
    """Write a value with the quotes that stand there, or with others where it must have them."""
    chosen, spelt = spell(style, value)
    if chosen == style:
        return Edit(place.start, place.end, spelt)
    opening, closing = STYLES[chosen].quotes
    return Edit(*place.outer, f"{opening}{spelt}{closing}")


def _replaced(body: str, values: Values, fill: Callable[[str, int], str]) -> str:
    """Put values in the place of references; `fill` gets a value and the offset of its reference."""
    edits = [
        Edit(occurrence.start, occurrence.end, fill(_text(values[occurrence.text]), occurrence.start))
        for occurrence in find(body)
        if occurrence.text in values
    ]
    return apply_edits(body, edits)


def _text(value: SecretBytes) -> str:
    try:
        return str(value.view(), "utf-8")
    except UnicodeDecodeError:  # the error holds the bytes
        raise NoSafeEdit("the value is no text in UTF-8") from None


def _raw(value: str, _: int) -> str:
    if _UNSAFE.search(value):
        raise NoSafeEdit(
            "Locum does not know how this kind of file spells a value with quotes, backslashes or line ends"
        )
    return value


def _base64(text: str, place: Place, body: str, values: Values) -> Edit:
    """Spell a value in the `data` of a Secret: nothing else stands beside it."""
    whole = body.strip()
    if whole not in values:
        raise NoSafeEdit("this place holds base64, so nothing can stand beside the reference")
    spelt = kubernetes.encoded(bytes(values[whole].view()))
    style = place.style.removeprefix(BASE64)
    if style == "yaml-block":
        return Edit(place.start, place.end, text[place.start : place.end].replace(whole, spelt))
    return _spelt(place, style, spelt)


def _block_filler(text: str, place: Place) -> Callable[[str, int], str]:
    """Return what puts a value into a block scalar of YAML: each of its lines gets the block's indent."""
    block = text[place.start : place.end]
    first = next(line for line in _LINE_END.split(block) if line.strip())
    indent = first[: len(first) - len(first.lstrip(" "))]
    newline = match.group() if (match := _LINE_END.search(block)) else "\n"
    header = _HEADER.search(text[: place.start])

    def fill(value: str, _: int) -> str:
        lines = value.split("\n")
        if not value or value != value.strip() or (header and len(lines) > 1):
            raise NoSafeEdit("a block of text cannot hold this value: write the reference in quotes")
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]", value):
            raise NoSafeEdit("a block of text cannot hold a value with control characters")
        return (newline + indent).join(lines)

    return fill
