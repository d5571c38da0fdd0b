"""Which plaintext secrets a text holds, or would hold: the scan's answer, kept to what a hook may stop for.

The one door of this package to the disk and the engine; what is decided upon it is `judge`'s.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from locum.agents.hooks.event import Change
from locum.errors import LocumError
from locum.refs.manifest import FILE_NAME, Manifest
from locum.refs.reference import locum_reference
from locum.text.source import SourceText
from locum.workspace.project import Project, find_project, load_manifest

if TYPE_CHECKING:
    from locum.detect.finding import Finding
    from locum.workspace.scanner import FileReport, Scanner

MOST_TEXT = 4 << 20
"""Code points of one text that are looked at; a longer one is treated as if it could not be looked at."""
_SURE = frozenset(("certain", "high"))
_LOUD = frozenset(("error", "warning"))


@dataclass(frozen=True, slots=True)
class Found:
    """One plaintext secret of a text; holds no part of it. `start`, `end`: code points of the text as `Looker` read it."""

    rule: str
    title: str
    line: int
    """From 1."""
    name: str
    """A good name for it in a vault."""
    generic: bool
    """Told by its name and its looks, not by a vendor's form."""
    fingerprint: str
    start: int
    end: int

    @property
    def reference(self) -> str:
        """What is to stand in its place."""
        return locum_reference(self.name)


class Judged(NamedTuple):
    """What a change would put into its file, and the fingerprints of what stands there before."""

    found: list[Found]
    had: tuple[str, ...]


class TooMuch(Exception):
    """A text that cannot be looked at whole: too long, or too much in it."""


class Looker:
    """Looks at texts as the project's scan would. `cwd` is where the client works."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd

    @cached_property
    def project(self) -> Project:
        """The project of the working directory."""
        return find_project(self.cwd)

    @cached_property
    def manifest(self) -> Manifest:
        """The project's manifest; an empty one where it cannot be read: then it allows nothing."""
        return _manifest(self.project)

    @cached_property
    def _scanner(self) -> Scanner:
        from locum.workspace.scanner import Scanner  # the engine: not for events without a text

        return Scanner(manifest_of=_manifest, without_rules=_ignored)

    def path(self, name: str) -> Path | None:
        """Return the absolute path that a client means; None for what can be none."""
        if not name or "\0" in name or len(name) > 4096:
            return None
        try:
            return self.cwd / Path(name).expanduser()
        except (RuntimeError, ValueError):
            return None

    def in_text(self, text: str, path: Path | None = None) -> list[Found]:
        """Return what a text holds that nobody has allowed; markers in the text itself count for nothing.

        Raises TooMuch.
        """
        place = path or self.cwd / "text"
        return self._found(self._scan(text, place), place, ())

    def in_file(self, path: Path) -> list[Found]:
        """Return what a file holds; [] for what is no readable file of text. Raises TooMuch."""
        text = read(path)
        if text is None:
            return []
        report = self._scan(text, path, markers=True)
        return [self._shown(finding, report, path) for finding in report.findings if counts(finding)]

    def in_change(self, change: Change) -> Judged | None:
        """Return what a change would put into its file that is not in it already; None when that cannot be judged.

        It cannot where the change replaces text that nobody without the file's secrets could know: whether such a change succeeds
        would tell what they are. Raises TooMuch.
        """
        path = self.path(change.path) or self.cwd / "text"
        old = read(path) or ""
        before = self._scan(old, path).findings if old else ()
        new = change.text
        if new is None:
            counted = [finding for finding in before if counts(finding)]
            new = _replaced(old, change, _without(old, counted) if counted else old)
            if new is None:
                return None
        return Judged(
            self._found(self._scan(new, path), path, before), tuple(finding.fingerprint for finding in before)
        )

    def _found(self, report: FileReport, path: Path, before: Sequence[Finding]) -> list[Found]:
        known = {finding.fingerprint for finding in before}
        new = [finding for finding in report.findings if counts(finding) and finding.fingerprint not in known]
        if new:  # what the manifest allows is no reason to stop; who writes the text writes its markers, and not the manifest
            allowed = {
                silenced.finding.fingerprint
                for silenced in self._scan(report.source.text, path, markers=True).suppressed
                if silenced.mechanism == FILE_NAME
            }
            new = [finding for finding in new if finding.fingerprint not in allowed]
        return [self._shown(finding, report, path) for finding in new]

    def _scan(self, text: str, path: Path, *, markers: bool = False) -> FileReport:
        if len(text) > MOST_TEXT:
            raise TooMuch
        source = SourceText.from_bytes(text.encode("utf-8", "replace"))
        report = self._scanner.scan_text(source, path, ignore=markers)
        if report.truncated:
            raise TooMuch
        return report

    def _shown(self, finding: Finding, report: FileReport, path: Path) -> Found:
        source = report.source
        start, end = source.offset_of_byte(finding.start), source.offset_of_byte(finding.end)
        rule = self._scanner.rules(path).get(finding.rule)
        return Found(
            finding.rule, finding.title, source.line_of(start) + 1, finding.secret_name,
            rule is None or rule.generic, finding.fingerprint, start, end,
        )  # fmt: skip


def counts(finding: Finding) -> bool:
    """Say whether a hook stops for a finding: the sure ones wherever they stand, and what an editor shows as a problem."""
    return finding.confidence in _SURE or finding.severity in _LOUD


def read(path: Path) -> str | None:
    """Return a file's text; None where there is no regular file that can be read. Raises TooMuch."""
    from locum.workspace.walk import Skipped, read_file

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
    except (OSError, ValueError):
        return None
    data = read_file(path.resolve())
    if isinstance(data, Skipped):
        return None
    return SourceText.from_bytes(data).text


def _replaced(old: str, change: Change, visible: str) -> str | None:
    """Return the text after the replacements; None when one of them is of text that is not in `visible`.

    `visible` is `old` with every secret's characters taken out of it, at the same places. A replacement of text that is
    nowhere will fail at the client: its new text is judged as if it stood alone, at the end.
    """
    for before, after, everywhere in change.replacements:
        if not before:
            old, visible = f"{old}\n{after}", f"{visible}\n{after}"
            continue
        place = visible.find(before)
        if place < 0:
            if visible != old:
                return None
            old, visible = f"{old}\n{after}", f"{visible}\n{after}"
            continue
        first = True
        while place >= 0 and (everywhere or first):
            end = place + len(before)
            old, visible = old[:place] + after + old[end:], visible[:place] + after + visible[end:]
            place, first = visible.find(before, place + len(after)), False
    return old


def _without(text: str, findings: Sequence[Finding]) -> str:
    """Return the text with NUL for each character of a secret: no client can ask to replace that."""
    source = SourceText.from_bytes(text.encode("utf-8", "replace"))
    characters = list(source.text)
    for finding in findings:
        start, end = source.offset_of_byte(finding.start), source.offset_of_byte(finding.end)
        characters[start:end] = "\0" * (end - start)
    return "".join(characters)


def _manifest(project: Project) -> Manifest:
    try:
        return load_manifest(project)
    except LocumError:
        return Manifest()


def _ignored(problem: LocumError) -> None:
    """Go on with the built-in rules: the editor and `locum scan` tell what is wrong with the others."""
