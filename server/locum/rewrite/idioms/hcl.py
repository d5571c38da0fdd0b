"""Terraform, OpenTofu, Packer and Terragrunt: a literal becomes a variable, which comes from the environment.

A variable is declared once, sensitive and without a default; files of values lose the line. What takes no variable is
Terraform's documentation's: backends, a module's source, what describes a variable, and what is counted or repeated by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from locum.rewrite.idioms.hcl_reader import Attribute, Block, Place, Reader, String
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.rewrite.urls import UNRESERVED
from locum.text.edits import Edit


@dataclass(frozen=True, slots=True)
class _Program:
    """One program that reads HCL."""

    files: str
    """A pattern for its files' names."""
    prefix: str
    """What comes before a variable's name in the environment."""
    command: str
    values: str = r"(?!)"
    """A pattern for its files of values."""


_PROGRAMS = (
    _Program(r".*\.(?:tf|tofu)", "TF_VAR_", "terraform apply", r".*\.tfvars"),
    _Program(r".*\.pkr\.hcl", "PKR_VAR_", "packer build .", r".*\.pkrvars\.hcl"),
)
_TERRAGRUNT = re.compile(r"terragrunt\.hcl")
_NO_EXPRESSION = {  # (type of the block, attribute): why not
    ("module", "source"): "a module's source takes no variable: give the token to git (credential helper, SSH key)",
    ("module", "version"): "a module's version takes no variable",
    ("output", "description"): "a description takes no expression",
}
_ENCODED = 'replace(urlencode({0}), "+", "%20")'


def rewrite(target: Target) -> Plan:
    """Replace the secret by a variable."""
    reader = Reader(target.text)
    if any(start <= target.start and target.end <= end for start, end in reader.comments):
        return target.as_prose("comment")
    string = max(_around(target, reader.strings), key=lambda found: found.start, default=None)
    place = next((place for place in reader.places if _holds(place.string, target)), None)
    if string is None or place is None:
        raise NoSafeEdit("the secret is not inside of one string or comment")
    name = target.path.rpartition("/")[2].lower()
    if _TERRAGRUNT.fullmatch(name):
        return _expression(
            target, reader, string, place, f'get_env("{target.name}")', (), target.run_note(target.start, target.end)
        )
    for program in _PROGRAMS:
        if re.fullmatch(program.values, name):
            return _file_of_values(target, reader, place, program)
        if re.fullmatch(program.files, name):
            if place.block.words[:1] == ("variable",):
                return _default(target, reader, place, program)
            return _variable(target, reader, string, place, program)
    raise NoSafeEdit("it is not known which program reads this file: let it read the value from its environment")


def _around(target: Target, strings: list[String]) -> list[String]:
    return [string for string in strings if _holds(string, target)]


def _holds(string: String, target: Target) -> bool:
    return string.body <= target.start and target.end <= string.close


def _note(target: Target, program: _Program, variable: str) -> str:
    given = f"{program.prefix}{variable}={target.reference}"
    return f"Run it under 'locum run --secret {given} -- {program.command}'."


def _expression(
    target: Target, reader: Reader, string: String, place: Place, read: str, edits: tuple[Edit, ...], note: str
) -> Plan:
    """Put what reads the value in the place of the string, or of a part of it."""
    _check(place, target)
    value = reader.decoded(string, target.start, target.end)
    if target.covers(string.body, string.close) and not string.here:
        return target.plan((Edit(string.start, string.end, read), *edits), value, read, note)
    part = target.url_part(string.body, string.close)
    plain = part.decoded(value, UNRESERVED) if part else None
    if plain is not None:
        value, read = plain, _ENCODED.format(read)
        note = f"The value is stored as it is; it is escaped for the URL. {note}"
    return target.plan((Edit(target.start, target.end, f"${{{read}}}"), *edits), value, f"${{{read}}}", note)


def _check(place: Place, target: Target) -> None:
    """Refuse where no expression may stand."""
    block, attribute = place.block, place.attribute
    if attribute is None:
        raise NoSafeEdit("a label of a block takes no expression")
    outer = block
    while outer.parent is not None and outer.parent.words:
        outer = outer.parent
    if outer.words[:1] == ("variable",):
        raise NoSafeEdit("what describes a variable takes no expression")
    if outer.words[:1] in {("terraform",), ("packer",)}:
        raise NoSafeEdit(
            "settings and backends take no variables: give this one in the environment or with -backend-config"
        )
    why = _NO_EXPRESSION.get((block.words[0] if block.words else "", attribute.name))
    if why:
        raise NoSafeEdit(why)
    if attribute.name in {"for_each", "count"}:
        raise NoSafeEdit(f"'{attribute.name}' takes no sensitive value")
    after = _behind(target.text, place.string.end)
    if place.inside.endswith("{") and after.startswith(("=", ":")) and not after.startswith(("==", "=>")):
        raise NoSafeEdit("it is a key of an object")


def _behind(text: str, at: int) -> str:
    """Return what stands behind a string, blanks left out."""
    return text[at : at + 80].lstrip(" \t")


def _variable(target: Target, reader: Reader, string: String, place: Place, program: _Program) -> Plan:
    """Declare a variable at the end of the file, unless it is there, and use it."""
    variable = target.name.lower()
    edits: list[Edit] = []
    blocks = [*reader.blocks, *(block for text in target.beside for block in Reader(text).blocks)]
    declared = next((block for block in blocks if block.words == ("variable", variable)), None)
    if declared is None:
        edits.append(_declaration(target, variable, program))
    elif declared.attribute("sensitive") is None or declared.attribute("default") is not None:
        raise NoSafeEdit(f"var.{variable} is declared already: use it by hand, or choose another name")
    if place.block.words[:1] == ("output",) and place.attribute is not None:
        edits += _sensitive_output(target, place.block, place.attribute)
    note = _note(target, program, variable)
    if declared is None:
        keep = "An" if target.beside else f"If another file declares var.{variable}, keep one; an"
        note += f" {keep} output that shows it wants 'sensitive = true'."
    return _expression(target, reader, string, place, f"var.{variable}", tuple(edits), note)


def _declaration(target: Target, variable: str, program: _Program) -> Edit:
    newline, end = target.newline, len(target.text)
    lines = [
        f'variable "{variable}" {{',
        f"  {_origin(target, variable, program)}",
        "  type      = string",
        "  sensitive = true",
        "}",
    ]
    gap = newline if target.text.endswith("\n") else newline * 2
    return Edit(end, end, gap + newline.join(lines) + newline)


def _origin(target: Target, variable: str, program: _Program) -> str:
    """Say in a comment where the value comes from: people and our own index of names find it by the reference."""
    return f"# {target.reference}, by {program.prefix}{variable}"


def _sensitive_output(target: Target, block: Block, shown: Attribute) -> list[Edit]:
    """Mark an output, without which Terraform refuses to show what is sensitive."""
    if block.attribute("sensitive") is not None or block.close < 0:
        return []
    newline = target.newline
    wide = Edit(
        shown.start + len(shown.name), shown.equals, " " * 5
    )  # as `terraform fmt` aligns it with the other line
    if "\n" not in target.text[block.body : shown.start]:
        opened = Edit(block.body, shown.start, f"{newline}  ")
        return [opened, wide, Edit(shown.end, block.close, f"{newline}  sensitive = true{newline}")]
    margin = target.text[target.text.rfind("\n", 0, shown.start) + 1 : shown.start]
    if len(block.attributes) == 1:
        return [wide, Edit(shown.end, shown.end, f"{newline}{margin}sensitive = true")]
    sign = "=".rjust(max(shown.equals - shown.start - len("sensitive"), 1) + 1)
    return [Edit(shown.start, shown.start, f"sensitive{sign} true{newline}{margin}")]


def _default(target: Target, reader: Reader, place: Place, program: _Program) -> Plan:
    """Take the default of a variable away."""
    block, attribute = place.block, place.attribute
    variable = block.words[1] if len(block.words) > 1 else ""
    if attribute is None or attribute.name != "default" or not variable:
        raise NoSafeEdit("what describes a variable takes no expression")
    value, note = _all_of(target, reader, place, attribute)
    edits = [_instead_of_default(target, block, attribute, variable, program)]
    for other in reader.blocks:
        shown = other.attribute("value")
        if other.words[:1] == ("output",) and shown is not None:
            used = re.search(rf"\bvar\.{re.escape(variable)}\b", target.text[shown.start : shown.end])
            edits += _sensitive_output(target, other, shown) if used else []
    note += _note(target, program, variable)
    return target.plan(edits, value, f"variable {variable}", note)


def _instead_of_default(
    target: Target, block: Block, default: Attribute, variable: str, program: _Program
) -> Edit:  # fmt: skip
    origin = _origin(target, variable, program)
    start = target.text.rfind("\n", 0, default.start) + 1
    margin = target.text[start : default.start]
    on_its_line = not margin.strip()
    if block.attribute("sensitive") is None:
        width = default.equals - default.start
        words = f"{'sensitive'.ljust(width) if width > 9 else 'sensitive '}= true"
        return Edit(default.start, default.end, f"{origin}{target.newline}{margin}{words}" if on_its_line else words)
    return Edit(default.start, default.end, origin if on_its_line else "")


def _all_of(target: Target, reader: Reader, place: Place, attribute: Attribute) -> tuple[str, str]:
    """Return the whole value of an attribute that is one string, and what to say when the secret is a part of it."""
    string = place.string
    alone = not target.text[attribute.equals + 1 : string.start].strip(" \t") and attribute.end == string.end
    if place.inside or not alone:
        raise NoSafeEdit("only a value that is one string can come from the environment: make it a variable of its own")
    value = reader.decoded(string, string.body, string.close)
    whole = target.covers(string.body, string.close)
    return value, "" if whole else f"The whole value of {attribute.name} is stored, not only the secret in it. "


def _file_of_values(target: Target, reader: Reader, place: Place, program: _Program) -> Plan:
    """Take the line away: nothing in such a file is expanded. A comment says where the value is."""
    attribute = place.attribute
    if attribute is None or place.block is not reader.file:
        raise NoSafeEdit("this line is no name = value")
    value, note = _all_of(target, reader, place, attribute)
    written = f"# {attribute.name}: {target.reference}, given as {program.prefix}{attribute.name}"
    note += _note(target, program, attribute.name)
    return target.plan((Edit(attribute.start, attribute.end, written),), value, target.reference, note)
