"""Fixing files on the disk: plan them all, store all values, declare the names, then write each file whole or not at all.

A file that cannot be written is left as it is and said; what only it would have used is taken out of the vault and the
manifest again. Nothing is written before every value is stored and read back (P2). Blocks; knows no terminal.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from locum.detect.finding import Finding
from locum.errors import LocumError
from locum.fix.beside import Beside
from locum.fix.stores import Stores
from locum.refs.manifest import FILE_NAME, add_secret
from locum.rewrite.batch import Batch, Left, Moved, NameFor, plan_all
from locum.rewrite.naming import agreed
from locum.rewrite.preview import masked_diff
from locum.text.source import SourceText
from locum.workspace.project import Project, read_manifest_text, write_manifest_text
from locum.workspace.safe_write import replace_bytes

DocsOf = Callable[[Path, Finding], str]
"""Says which page tells about a finding's rule, "" for none."""


@dataclass(slots=True)
class FileToFix:
    """A file as it was scanned, and its findings."""

    path: Path
    """Absolute."""
    project: Project
    source: SourceText
    findings: Sequence[Finding]
    others: Sequence[Finding] = ()
    """What else was found, and shall stay: only never shown."""


@dataclass(slots=True)
class PlannedFile:
    """What would become of it."""

    file: FileToFix
    batch: Batch

    def preview(self, name: str) -> Iterator[str]:
        """Yield a diff for people that holds no value; `name` is how the file is called."""
        yield from masked_diff(self.file.source, [*self.file.findings, *self.file.others], self.batch.text, name)


@dataclass(slots=True)
class Outcome:
    """What was done. `left` has, by file, what still stands there."""

    moved: list[tuple[FileToFix, Moved]] = field(default_factory=list[tuple[FileToFix, Moved]])
    left: list[tuple[FileToFix, Left]] = field(default_factory=list[tuple[FileToFix, Left]])

    def names(self) -> list[str]:
        """Return the names that now stand in the files, sorted."""
        return sorted({moved.plan.name for _, moved in self.moved})


def well_named(texts: Iterable[tuple[SourceText, Sequence[Finding]]]) -> list[list[Finding]]:
    """Return each text's findings, with one name for one value: the one that most places give it."""
    pairs = list(texts)
    names = agreed((source.utf8[item.start : item.end], item) for source, findings in pairs for item in findings)
    return [
        [replace(item, secret_name=names[source.utf8[item.start : item.end]]) for item in findings]
        for source, findings in pairs
    ]


def plan_files(files: Sequence[FileToFix], name_for: NameFor, beside: Beside | None = None) -> Iterator[PlannedFile]:
    """Plan file after file. `beside` knows the texts of files that are open in an editor."""
    beside = beside or Beside()
    for file in files:
        if file.path.name == FILE_NAME:
            reason = f"{FILE_NAME} holds names, no values: store it with 'locum secret set', and take it out by hand."
            yield PlannedFile(file, Batch(left=[Left(finding, reason) for finding in file.findings]))
            continue
        relative = file.project.relative(file.path)
        batch = plan_all(
            file.source, file.findings, path=relative, language="", name_for=name_for, beside=beside.of(file.path)
        )
        beside.put(file.path, batch.text)
        yield PlannedFile(file, batch)


def move_files(
    planned: Sequence[PlannedFile], stores: Stores, docs_of: DocsOf, declared: Collection[Path] = ()
) -> Outcome:
    """Store, declare, write. Raises LocumError when nothing was changed; later failures are in the outcome, by file.

    `declared` are roots of projects whose manifest somebody else writes: an editor that has it open.
    """
    outcome = Outcome()
    try:
        for item in planned:
            for moved in item.batch.moved:
                stores.put(moved.plan.name, moved.plan.value)
        by_project = sorted(planned, key=lambda item: str(item.file.project.root))
        for _, group in groupby(by_project, key=lambda item: item.file.project.root):
            project = _Project(list(group), docs_of, outcome)
            project.fix(declare=project.root not in declared)
    finally:
        used = set(outcome.names())
        stores.take_back(
            {moved.plan.name for item in planned for moved in item.batch.moved if moved.plan.name not in used}
        )
        for item in planned:
            item.batch.wipe()
    return outcome


def with_names(text: str, batch: Batch, path: Path, docs_of: DocsOf) -> str:
    """Return a manifest's text that declares the names of a batch. Raises ManifestProblem."""
    for moved in batch.moved:
        docs = docs_of(path, moved.finding)
        text = add_secret(text, moved.plan.name, description=_described(moved.finding), docs=docs)
    return text


def _described(finding: Finding) -> str:
    """Return what the secret is: the title of a finding that knows no more than where it stands is "… in plain text"."""
    return finding.title.removesuffix(" in plain text")


class _Project:
    """The files of one project, and its manifest."""

    def __init__(self, planned: Sequence[PlannedFile], docs_of: DocsOf, outcome: Outcome) -> None:
        self._planned = planned
        self._docs_of = docs_of
        self._outcome = outcome
        self._project = planned[0].file.project
        self._done: list[PlannedFile] = []

    @property
    def root(self) -> Path:
        return self._project.root

    def fix(self, *, declare: bool) -> None:
        wanted = [item for item in self._planned if item.batch.moved]
        before = read_manifest_text(self._project) if wanted and declare else ""
        was_there = self._project.manifest.exists()
        text = self._declared(before, wanted) if declare else ""
        if text != before:
            try:
                write_manifest_text(self._project, text)
            except LocumError as error:
                for item in wanted:
                    self._leave(item, f"{error.message}.")
                wanted = []
        try:
            for item in self._planned:
                self._outcome.left += [(item.file, left) for left in item.batch.left]
            for item in wanted:
                self._write(item)
        finally:
            if declare and len(self._done) < len(wanted):
                self._declare_less(before, text, was_there=was_there)

    def _declare_less(self, before: str, text: str, *, was_there: bool) -> None:
        """Declare only what was written, unless somebody else wrote the manifest meanwhile: a name too many harms nobody."""
        declared = self._declared(before, self._done)
        with contextlib.suppress(LocumError, OSError):
            if declared == text or read_manifest_text(self._project) != text:
                return
            if declared or was_there:
                write_manifest_text(self._project, declared)
            else:
                self._project.manifest.unlink()

    def _write(self, item: PlannedFile) -> None:
        file = item.file
        root = self.root if file.path.is_relative_to(self.root) else file.path.parent
        # Before it is: when somebody presses Ctrl-C right behind the change, the values must stay.
        self._done.append(item)
        self._outcome.moved += [(file, moved) for moved in item.batch.moved]
        try:
            replace_bytes(root, file.path, file.source.to_bytes(), file.source.to_bytes(item.batch.text))
        except LocumError as error:
            self._not_done(item, f"{error.message}.")
        except UnicodeEncodeError:
            self._not_done(item, f"what would stand there cannot be written in {file.source.encoding}.")

    def _not_done(self, item: PlannedFile, reason: str) -> None:
        self._done.pop()
        del self._outcome.moved[len(self._outcome.moved) - len(item.batch.moved) :]
        self._leave(item, reason)

    def _leave(self, item: PlannedFile, reason: str) -> None:
        findings = [moved.finding for moved in item.batch.moved] + item.batch.along
        self._outcome.left += [(item.file, Left(finding, reason)) for finding in findings]

    def _declared(self, text: str, planned: Iterable[PlannedFile]) -> str:
        for item in planned:
            text = with_names(text, item.batch, item.file.path, self._docs_of)
        return text
