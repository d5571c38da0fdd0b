"""The manifests that one move declares names in: the editor's own text where `locum.toml` is open there, else the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pygls.uris import from_fs_path

from locum.detect.finding import Finding
from locum.fix.disk import with_names
from locum.lsp.edits import Change, rewritten
from locum.lsp.projects import rule_of
from locum.refs.manifest import parse_manifest
from locum.rewrite.batch import Batch
from locum.workspace.project import Project, read_manifest_text, write_manifest_text

if TYPE_CHECKING:
    from locum.lsp.documents import Document, Stamp
    from locum.lsp.protocol import LocumServer


@dataclass(slots=True)
class _Manifest:
    """One manifest as it was when the move began, and what it is to declare."""

    text: str
    stamp: Stamp | None = None
    """Of the document; None when it is not open."""
    adds: list[tuple[Batch, Path]] = field(default_factory=list[tuple[Batch, Path]])

    def declared(self, text: str) -> str:
        """Return `text` with the new names. Raises ManifestProblem."""
        for batch, path in self.adds:
            text = with_names(text, batch, path, page_of)
        return text


class Manifests:
    """All manifests of one move."""

    def __init__(self, ls: LocumServer) -> None:
        self._ls = ls
        self._all: dict[Project, _Manifest] = {}

    def take(self, projects: Iterator[Project]) -> None:
        """Take the texts of documents that are open, before anything else happens."""
        for project in projects:
            document = self._document(project)
            stamp = document.stamp if document is not None else None
            self._all.setdefault(project, _Manifest(document.source if document is not None else "", stamp))

    def read(self) -> None:
        """Read those that are not open from the disk. Blocks; raises UsageProblem, ManifestProblem for a broken one."""
        for project, manifest in self._all.items():
            if manifest.stamp is None:
                manifest.text = read_manifest_text(project)
            parse_manifest(manifest.text)

    def elsewhere(self) -> set[str]:
        """Return the declared names whose values are not in the local vault."""
        entries = (entry for manifest in self._all.values() for entry in parse_manifest(manifest.text).secrets.values())
        return {entry.name for entry in entries if entry.source != "local"}

    def add(self, project: Project, batch: Batch, path: Path, *, only_in_editor: bool = False) -> None:
        """Declare the names of a batch; `only_in_editor` where somebody else writes the file of a manifest that is closed."""
        manifest = self._all[project]
        if manifest.stamp is not None or not only_in_editor:
            manifest.adds.append((batch, path))

    def in_editor(self) -> list[Path]:
        """Return the roots whose manifest is open."""
        return [project.root for project, manifest in self._all.items() if manifest.stamp is not None]

    def changes(self) -> list[Change] | None:
        """Return the edits of open manifests; None when one was edited, opened or closed meanwhile."""
        changes: list[Change] = []
        for project, manifest in self._all.items():
            document = self._document(project)
            if (document.stamp if document is not None else None) != manifest.stamp:
                return None
            if document is not None:
                changes.append(Change(document, rewritten(document, manifest.declared(manifest.text))))
        return changes

    def write(self) -> None:
        """Declare in the files of closed manifests, as they are now. Blocks; raises LocumError."""
        for project, manifest in self._all.items():
            if manifest.stamp is None and manifest.adds:
                text = read_manifest_text(project)
                declared = manifest.declared(text)
                if declared != text:
                    write_manifest_text(project, declared)

    def _document(self, project: Project) -> Document | None:
        uri = from_fs_path(str(project.manifest))
        return self._ls.documents.open_document(uri) if uri else None


def page_of(path: Path, finding: Finding) -> str:
    """Return the page about a finding's rule, "" for none."""
    rule = rule_of(finding.rule, str(path))
    return rule.url if rule is not None else ""
