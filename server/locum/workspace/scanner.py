"""One way to scan a text on disk or in an editor, so that all give the same answer (promise P4).

Puts together the engine, the project that a file belongs to, and what its manifest says about scanning
(`[scan] exclude`, `[[scan.allow]]`). Knows nothing of how findings are shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from locum.detect.engine import Engine, default_engine
from locum.detect.finding import Finding
from locum.refs.manifest import Allowance, Manifest
from locum.text.source import SourceText
from locum.workspace.project import Project, find_project, load_manifest
from locum.workspace.walk import Skipped, read_file, read_patterns

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found in one text."""

    path: Path
    source: SourceText
    findings: tuple[Finding, ...]
    truncated: bool
    suppressed: int
    """How many findings inline markers silenced."""
    allowed: int
    """How many findings the manifest allows."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """What one project says about scanning."""

    project: Project
    exclude: GitIgnoreSpec | None
    allow: tuple[tuple[str, GitIgnoreSpec | None], ...]
    """Rule id ("" for all) and paths (None for all)."""

    def excludes(self, path: str) -> bool:
        return self.exclude is not None and self.exclude.match_file(path)

    def allows(self, finding: Finding, path: str) -> bool:
        return any(
            rule in {"", finding.rule} and (paths is None or paths.match_file(path)) for rule, paths in self.allow
        )


class Scanner:
    """Scans texts of any number of projects. Remembers projects by directory until `forget`."""

    def __init__(self, engine: Engine | None = None, *, today: date | None = None, base: Path | None = None) -> None:
        """Take the engine (default: the built-in rules), the day that allowances are judged on (default: today), and the
        directory that paths are told from where there is neither a manifest nor a repository.
        """
        self._base = base
        self._engine = engine or default_engine()
        self._today = today or date.today()  # noqa: DTZ011 - an allowance ends on the reader's own calendar
        self._rules_of_folder: dict[Path, _Rules] = {}
        self._rules_of_root: dict[Path, _Rules] = {}

    def forget(self) -> None:
        """Read manifests again from here on."""
        self._rules_of_folder.clear()
        self._rules_of_root.clear()

    def excludes(self, path: Path) -> bool:
        """Say whether the file's project leaves it out of scans. Raises ManifestProblem or UsageProblem."""
        rules = self._rules(path)
        return rules.excludes(rules.project.relative(path))

    def exclude_patterns(self, folder: Path) -> tuple[Path, tuple[str, ...]]:
        """Return the root of the folder's project and its `[scan] exclude`. Raises ManifestProblem or UsageProblem."""
        project = find_project(folder, self._base)
        return project.root, load_manifest(project).exclude

    def scan_text(self, source: SourceText, path: Path, *, budget: float | None = None) -> FileReport:
        """Scan a text that is, or would be, at `path` (absolute). `budget` is in seconds.

        Raises ManifestProblem or UsageProblem when the project's manifest cannot be read.
        """
        rules = self._rules(path)
        relative = rules.project.relative(path)
        result = self._engine.scan(source.utf8, path=relative, project=rules.project.id, budget=budget)
        kept = tuple(finding for finding in result.findings if not rules.allows(finding, relative))
        return FileReport(
            path, source, kept, result.truncated, len(result.suppressed), allowed=len(result.findings) - len(kept)
        )

    def scan_file(self, path: Path) -> FileReport | Skipped:
        """Read and scan a file (absolute path). Raises ManifestProblem or UsageProblem."""
        data = read_file(path)
        return data if isinstance(data, Skipped) else self.scan_text(SourceText.from_bytes(data), path)

    def _rules(self, path: Path) -> _Rules:
        folder = path.parent
        rules = self._rules_of_folder.get(folder)
        if rules is None:
            project = find_project(folder, self._base)
            rules = self._rules_of_root.get(project.root)
            if rules is None or rules.project != project:
                rules = _rules_of(project, load_manifest(project), self._today)
                self._rules_of_root[project.root] = rules
            self._rules_of_folder[folder] = rules
        return rules


def _rules_of(project: Project, manifest: Manifest, today: date) -> _Rules:
    return _Rules(project, read_patterns(manifest.exclude), tuple(_live(manifest.allow, today)))


def _live(allowances: Iterable[Allowance], today: date) -> Iterable[tuple[str, GitIgnoreSpec | None]]:
    """Leave out allowances that expired: what they covered is a finding again."""
    for allowance in allowances:
        if allowance.expires is None or today <= allowance.expires:
            yield allowance.rule, read_patterns([allowance.path] if allowance.path else [])
