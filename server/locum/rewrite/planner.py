"""The door of this room: a finding in a text becomes a plan, or a refusal that says why. Pure: no I/O, no protocol.

Idioms are modules with one function, `rewrite(target) -> Plan`, that raises `NoSafeEdit`. The planner finds the right
one and then checks what it made: a fix that would leave the value where it stood is no fix.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from locum.detect.finding import Finding
from locum.refs.reference import locum_reference, looks_like_reference
from locum.rewrite.languages import kind_of, kind_of_script, refusal_for
from locum.rewrite.naming import choose_name, is_environment_name
from locum.rewrite.plan import NO_EDIT, Plan, Refusal
from locum.rewrite.registry import idiom_for
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import apply_edits
from locum.text.source import SourceText

__all__ = ["choose_name", "plan"]

_PUT_IN = frozenset(
    ("dotenv", "ini", "json", "mysql", "netrc", "pgpass", "properties", "requirements", "toml", "xml", "yaml")
)
"""Kinds in which `locum run` puts values in the place of references: it reads UTF-8."""
_BYTES = frozenset(("c", "cpp", "lua", "perl", "php", "shellscript"))
"""Languages to which a string is the bytes of its file."""
_BY_HAND = "store it with 'locum secret set {name}', and take it out by hand"
"""What to do where a refusal tells no better way."""


def plan(
    source: SourceText, finding: Finding, *, path: str, language: str, name: str, beside: Sequence[str] = ()
) -> Plan | Refusal:
    """Say how `finding` (byte offsets into `source.utf8`) becomes a reference called `name`.

    `path` is the file's, with `/`, and may be empty; `language` is an LSP languageId and may be empty; `beside` are texts that
    are read as one with this one (`languages.read_with`). Never raises for what stands in the text, however broken.
    """
    if not is_environment_name(name):
        return Refusal("this name cannot be an environment variable: use letters, digits and _, not a digit first.")
    if not 0 <= finding.start < finding.end <= len(source.utf8):
        return Refusal("the text has changed since it was looked at: look again.")
    try:
        start, end = source.offset_of_byte(finding.start), source.offset_of_byte(finding.end)
    except UnicodeDecodeError:  # its text would show the bytes
        return Refusal("the text has changed since it was looked at: look again.")
    kind = kind_of(path, language)
    if idiom_for(kind) is None:
        kind = kind_of_script(source.text) or kind
    target = Target(source.text, start, end, name, path.replace("\\", "/"), kind, tuple(beside))
    if looks_like_reference(target.raw):
        return Refusal("a reference stands here already.")
    idiom = idiom_for(kind)
    if idiom is None:
        return Refusal(refusal_for(kind, name))
    if _is_not_utf8(source):
        if kind in _PUT_IN:
            return Refusal(f"{NO_EDIT}the file is not UTF-8, and 'locum run' reads no other: convert it first.")
        if kind in _BYTES and not target.raw.isascii():
            return Refusal(f"{NO_EDIT}the file is not UTF-8: the program would get other bytes.")
    try:
        made = idiom(target)
    except NoSafeEdit as problem:
        reason = (
            problem.reason if _says_what_to_do(problem.reason) else f"{problem.reason}: {_BY_HAND.format(name=name)}"
        )
        return discreet(Refusal(f"{NO_EDIT}{reason}."), {target.raw})
    except RecursionError:
        return Refusal(f"{NO_EDIT}the text is nested too deeply.")
    return discreet(_checked(made, target), {target.raw})


def _says_what_to_do(reason: str) -> bool:
    """Say whether a refusal tells more than its cause: the rest of it stands behind a colon."""
    return re.search(r":\s", reason) is not None


def _is_not_utf8(source: SourceText) -> bool:
    """Say whether the file is, as far as anybody knows, written in another encoding."""
    if source.encoding != "utf-8":
        return True
    try:
        source.text.encode()
    except UnicodeEncodeError:  # stray bytes
        return True
    return False


def _checked(made: Plan, target: Target) -> Plan | Refusal:
    """Refuse edits that overlap, leave the text as it was, or write the value down again."""
    try:
        changed = apply_edits(target.text, made.edits)
    except ValueError:
        return Refusal(f"{NO_EDIT}the edits would overlap.")
    value = bytes(made.value.view())
    written = [edit.new_text for edit in made.edits]
    gone = any(edit.start <= target.start and target.end <= edit.end for edit in made.edits)
    if changed == target.text or not gone or any(target.raw in text or value in text.encode() for text in written):
        return Refusal(f"{NO_EDIT}the value would still stand in the text.")
    return made


def discreet(made: Plan | Refusal, secrets: Collection[str]) -> Plan | Refusal:
    """Take away what people are told when a secret stands in it: somebody may have called a server by its token."""
    told = made.reason if isinstance(made, Refusal) else f"{made.note}\n{made.idiom}"
    if not any(secret in told for secret in secrets):
        return made
    if isinstance(made, Refusal):
        return Refusal(f"{NO_EDIT}what stands around the secret holds a secret too.")
    return replace(made, idiom=locum_reference(made.name), note="")
