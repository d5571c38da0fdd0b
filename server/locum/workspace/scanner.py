"""One way to scan a text on disk or in an editor, so that all give the same answer (promise P4).

Puts together the engine, the project that a file belongs to, and what its manifest says about scanning
(`[scan] exclude`, `[[scan.allow]]`, rules of its own). Knows nothing of how findings are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from locum.detect.engine import Engine, default_engine
from locum.detect.finding import Finding, ScanResult, Suppressed
from locum.detect.fingerprint import value_fingerprint
from locum.detect.rescan import Scanned, rescan
from locum.errors import LocumError
from locum.refs.manifest import FILE_NAME, Allowance, Manifest
from locum.refs.own_rule import OwnRule
from locum.text.source import SourceText
from locum.workspace.own_rules import project_rules, user_rules, with_rules
from locum.workspace.project import Project, find_project, load_manifest
from locum.workspace.walk import Skipped, read_file, read_patterns

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    from locum.detect.pack import Rule


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found in one text."""

    path: Path
    source: SourceText
    findings: tuple[Finding, ...]
    truncated: bool
    suppressed: tuple[Suppressed, ...] = ()
    """What inline markers silenced and what the manifest allows, in the order of the text."""


@dataclass(frozen=True, slots=True)
class _Allowed:
    """One allowance, ready to ask."""

    means: Allowance
    paths: GitIgnoreSpec | None
    """None for all."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """What one project says about scanning."""

    project: Project
    exclude: GitIgnoreSpec | None
    allow: tuple[_Allowed, ...]
    engine: Engine

    def excludes(self, path: str) -> bool:
        return self.exclude is not None and self.exclude.match_file(path)

    def allows(self, finding: Finding, path: str, data: bytes, today: date) -> bool:
        """Say whether an allowance means the finding. One that has expired means none: it is a finding again."""
        return any(
            (allowed.means.expires is None or today <= allowed.means.expires)
            and allowed.means.rule in {"", finding.rule}
            and allowed.means.fingerprint in {"", finding.fingerprint}
            and (allowed.paths is None or allowed.paths.match_file(path))
            and (
                not allowed.means.value
                or allowed.means.value == value_fingerprint(self.project.id, data[finding.start : finding.end])
            )
            for allowed in self.allow
        )


class Scanner:
    """Scans texts of any number of projects. Remembers projects by directory until `forget`."""

    def __init__(
        self, engine: Engine | None = None, *, today: date | None = None, base: Path | None = None,
        find: Callable[[Path], Project] | None = None, manifest_of: Callable[[Project], Manifest] = load_manifest,
        without_rules: Callable[[LocumError], None] | None = None,
    ) -> None:  # fmt: skip
        """Take the engine (default: the built-in rules) and the day on which what ends is judged (default: today, always).

        `base` is the directory that paths are told from where there is neither a manifest nor a repository. An editor has
        ways of its own to find a directory's project and to read a manifest, which may be newer than the disk's; and it goes
        on without the rules that somebody wrote when something is wrong with them: `without_rules` is told what.
        """
        self._without_rules = without_rules
        self._find = find or partial(find_project, base=base)
        self._manifest_of = manifest_of
        self._engine = engine or default_engine()
        self._today = today
        self._rules_of_folder: dict[Path, _Rules] = {}
        self._rules_of_root: dict[Path, _Rules] = {}

    def forget(self) -> None:
        """Read manifests again from here on."""
        self._rules_of_folder.clear()
        self._rules_of_root.clear()

    def project(self, path: Path) -> Project:
        """Return the project that a file belongs to, as scans of it see it. Raises ManifestProblem or UsageProblem."""
        return self._rules(path).project

    def excludes(self, path: Path) -> bool:
        """Say whether the file's project leaves it out of scans. Raises ManifestProblem or UsageProblem."""
        rules = self._rules(path)
        return rules.excludes(rules.project.relative(path))

    def exclude_patterns(self, folder: Path) -> tuple[Path, tuple[str, ...]]:
        """Return the root of the folder's project and its `[scan] exclude`. Raises ManifestProblem or UsageProblem."""
        project = self._find(folder)
        return project.root, self._manifest_of(project).exclude

    def scan_text(
        self, source: SourceText, path: Path, *, budget: float | None = None, ignore: bool = True
    ) -> FileReport:
        """Scan a text that is, or would be, at `path` (absolute). `budget` is in seconds.

        With `ignore` unset, inline markers and allowances silence nothing.
        Raises ManifestProblem or UsageProblem when the project's manifest cannot be read.
        """
        rules, relative, today = self._asked(path)
        result = rules.engine.scan(
            source.utf8, path=relative, project=rules.project.id, budget=budget, ignore=ignore, today=today
        )
        return _report(source, path, result, rules if ignore else None, relative, today)

    def scan_edited(
        self, source: SourceText, path: Path, before: Scanned | None, *, budget: float | None = None
    ) -> tuple[FileReport, Scanned]:
        """Scan a text as `scan_text` does, after an edit: of most texts only what stands around it.

        `before` is what this gave for the text as it was until now; None for a new one.
        """
        rules, relative, today = self._asked(path)
        scanned = rescan(
            rules.engine, before, source.utf8, path=relative, project=rules.project.id, budget=budget, today=today
        )
        return _report(source, path, scanned.result, rules, relative, today), scanned

    def scan_file(self, path: Path, *, ignore: bool = True) -> FileReport | Skipped:
        """Read and scan a file (absolute path). Raises ManifestProblem or UsageProblem."""
        data = read_file(path)
        if isinstance(data, Skipped):
            return data
        return self.scan_text(SourceText.from_bytes(data), path, ignore=ignore)

    def _asked(self, path: Path) -> tuple[_Rules, str, date]:
        """Return what is asked for every text: its project's rules, its path there, and today."""
        rules = self._rules(path)
        return rules, rules.project.relative(path), self._today or date.today()  # noqa: DTZ011 - an allowance ends on the reader's own calendar

    def _rules(self, path: Path) -> _Rules:
        folder = path.parent
        rules = self._rules_of_folder.get(folder)
        if rules is None:
            project = self._find(folder)
            rules = self._rules_of_root.get(project.root)
            if rules is None or rules.project != project:
                manifest = self._manifest_of(project)
                rules = _rules_of(project, manifest, self._engine_for(project, manifest))
                self._rules_of_root[project.root] = rules
            self._rules_of_folder[folder] = rules
        return rules

    def rules(self, path: Path) -> Mapping[str, Rule]:
        """Return the rules that findings in the file may name, by id. Raises ManifestProblem or UsageProblem."""
        return self._rules(path).engine.rules

    def _engine_for(self, project: Project, manifest: Manifest) -> Engine:
        """Return the engine with the project's rules and the user's. Raises ManifestProblem or UsageProblem, or tells them."""
        user = tuple[OwnRule, ...]()
        try:
            user = user_rules()
            engine = with_rules(self._engine, (), user)
        except LocumError as problem:
            self._told(problem)
            user, engine = (), self._engine
        try:
            return with_rules(self._engine, project_rules(project, manifest), user)
        except LocumError as problem:
            self._told(problem)
            return engine

    def _told(self, problem: LocumError) -> None:
        if self._without_rules is None:
            raise problem
        self._without_rules(problem)


def _report(
    source: SourceText, path: Path, result: ScanResult, rules: _Rules | None, relative: str, today: date
) -> FileReport:
    """Leave out what the manifest allows; without rules nothing is."""
    if rules is None or not rules.allow:
        return FileReport(path, source, result.findings, result.truncated, result.suppressed)
    kept: list[Finding] = []
    suppressed = list(result.suppressed)
    for finding in result.findings:
        if rules.allows(finding, relative, source.utf8, today):
            suppressed.append(Suppressed(finding, FILE_NAME))
        else:
            kept.append(finding)
    suppressed.sort(key=lambda silenced: silenced.finding.start)
    return FileReport(path, source, tuple(kept), result.truncated, tuple(suppressed))


def _rules_of(project: Project, manifest: Manifest, engine: Engine) -> _Rules:
    allow = tuple(_Allowed(means, read_patterns([means.path] if means.path else [])) for means in manifest.allow)
    return _Rules(project, read_patterns(manifest.exclude), allow, engine)
