"""What is to be said of references and of a manifest: where, why, and how loudly. Plain data, offsets in code points.

A message never shows the text that it is about: the range does, and what stands there may be a value in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date

from locum.detect.finding import Severity
from locum.detect.severity import is_quiet
from locum.refs.manifest import ManifestProblem, Place, nearest, read_manifest
from locum.refs.manifest_places import name_span, span_of
from locum.refs.reference import Occurrence, find
from locum.text.source import SourceText
from locum.workspace.project import Project

BAD_REFERENCE = "bad-reference"
UNKNOWN_REFERENCE = "unknown-reference"
BAD_MANIFEST = "bad-manifest"
EXPIRED = "expired-allowance"
NO_COMMAND = "no-command"
NOT_STORED = "not-stored"
UNUSED = "unused-secret"
UNEXPANDED = "unexpanded-variable"

_MAX_MANIFEST = 1 << 20
_QUOTED = re.compile(r"^(['\"]).*\1(?= )")
"""The text that a parser's message begins with."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to be said of `[start, end)`."""

    start: int
    end: int
    code: str
    message: str
    severity: Severity
    without_effect: bool = False
    """What stands there does nothing any more."""


def about_references(source: SourceText, declared: Collection[str] | None, path: str) -> Iterator[Remark]:
    """Say which `locum://` references are none, or name what `declared` has not; None: nobody knows what is declared."""
    for item in _references(source):
        if item.reference is None:
            message = f"Not a reference: {_QUOTED.sub('this', item.problem)}."
            yield Remark(item.start, item.end, BAD_REFERENCE, message, "warning")
        elif item.reference.is_declared and declared is not None and item.reference.name not in declared:
            near = nearest(item.reference.name, declared)
            message = "locum.toml does not declare this name" + (f"; did you mean {near}?" if near else ".")
            level: Severity = "information" if is_quiet(path) else "warning"  # prose and tests show names as examples
            yield Remark(item.start, item.end, UNKNOWN_REFERENCE, message, level)


def about_manifest(text: str, today: date) -> Iterator[Remark]:
    """Say what is wrong with a manifest, in the command line's words, and what in it has ended."""
    if len(text) > _MAX_MANIFEST:
        return
    manifest, problems = read_manifest(text)
    for problem in problems:
        start, end = _span(text, problem)
        yield Remark(start, end, BAD_MANIFEST, problem.explain(), "error")
    wrong = {problem.place[:3] for problem in problems}
    numbers = (number for number in range(len(manifest.allow) + len(wrong)) if ("scan", "allow", number) not in wrong)
    for number, allowance in zip(numbers, manifest.allow, strict=False):
        if allowance.expires is not None and allowance.expires < today:
            place: Place = ("scan", "allow", number, "expires")
            message = f"This ended on {allowance.expires}: what it allowed is a finding again. Renew it or take it out."
            yield Remark(*span_of(text, place), EXPIRED, message, "warning", without_effect=True)


def about_names(text: str, stored: Collection[str] | None, used: Collection[str] | None) -> Iterator[Remark]:
    """Say which declared names the vault has not, which nobody uses, and which tasks run nothing. None: nobody knows."""
    if len(text) > _MAX_MANIFEST:
        return
    manifest, _ = read_manifest(text)
    for name, entry in manifest.secrets.items():
        place: Place = ("secrets", name)
        if used is not None and name not in used:
            message = "Nothing in this project uses this name: no reference, no task, no code that reads the variable."
            yield Remark(*name_span(text, place), UNUSED, message, "hint", without_effect=True)
        if stored is not None and entry.source == "local" and name not in stored:
            message = f"Not in your vault yet: locum secret set {name}"
            yield Remark(*name_span(text, place), NOT_STORED, message, "information")
    for name, task in manifest.tasks.items():
        if not task.command:
            message = "This task has no command: it runs only with one, locum run --task NAME -- CMD."
            yield Remark(*name_span(text, ("tasks", name)), NO_COMMAND, message, "information")


def about_servers(text: str, path: str) -> Iterator[Remark]:
    """Say which variables and references in the MCP servers of a configuration reach them as they stand there."""
    from locum.rewrite.idioms.mcp_variables import unexpanded  # few texts are such configurations

    for item in unexpanded(text, path):
        yield Remark(item.start, item.end, UNEXPANDED, item.message, "warning")


def about_rules(text: str, project: Project) -> Iterator[Remark]:
    """Say what is wrong with the rules that a manifest brings, itself or from files of the project."""
    if len(text) > _MAX_MANIFEST:
        return
    manifest, _ = read_manifest(text)
    if manifest.rules or manifest.rule_files:
        from locum.workspace.own_rules import problems  # RE2 takes 20 ms: few have rules

        for problem in problems(project, manifest):
            yield Remark(*_span(text, problem), BAD_MANIFEST, problem.explain(), "error")


def _span(text: str, problem: ManifestProblem) -> tuple[int, int]:
    if problem.place:
        return span_of(text, problem.place, key=problem.on_key)
    source = SourceText(text)  # no TOML: the line that cannot be read
    start, end = source.line_span(min(problem.line, len(source.starts) - 1))
    return start, max(end, min(start + 1, len(text)))


def _references(source: SourceText) -> Iterator[Occurrence]:
    """Find `locum://` references, looking only at lines that hold one: a text is full of other URLs."""
    place = source.text.find("locum://")
    while place >= 0:
        start, end = source.line_span(source.line_of(place))
        for item in find(source.text[start:end]):
            yield replace(item, start=start + item.start, end=start + item.end)
        place = source.text.find("locum://", end)
