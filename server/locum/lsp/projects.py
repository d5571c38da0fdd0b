"""Which project a document belongs to, and what its manifest says: as the editor has it, saved or not, else as the disk has it.

Remembered until `forget_projects`: a keystroke looks at no disk.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from locum.errors import LocumError
from locum.refs.manifest import Manifest, parse_manifest
from locum.workspace.project import Project, find_project, load_manifest

if TYPE_CHECKING:
    from locum.detect.pack import Rule
    from locum.workspace.scanner import Scanner

PROJECT_FILES = 512

_workspace: set[Path] = set()
"""The folders that the client has open."""
_open_manifests: dict[Path, Manifest] = {}
"""Manifests as the editor has them, each as it was when it was last whole."""
_expected: set[str] = set()
"""Names that are about to be declared."""


@lru_cache(PROJECT_FILES)
def project_of(folder: Path) -> Project:
    """Return the project of a folder.

    Without a manifest or a repository it is the workspace folder, as the command line has it that is called there.
    """
    holding = [base for base in _workspace if folder.is_relative_to(base)]
    found = find_project(folder, max(holding, key=lambda base: len(base.parts), default=None))
    # A manifest that is new in the editor, and not on the disk yet, counts there as it will when it is saved.
    for path, manifest in list(_open_manifests.items()):
        if folder.is_relative_to(path.parent) and path.parent.is_relative_to(found.root) and path != found.manifest:
            found = Project(path.parent, manifest.project_id)
    return found


@cache
def scanner() -> Scanner:
    """Return the scanner that asks for projects and manifests here."""
    from locum.workspace.scanner import Scanner

    return Scanner(find=project_of, manifest_of=_manifest_of, without_rules=_rules_left_out)


def rule_of(rule_id: str, path: str | None) -> Rule | None:
    """Return the rule of a finding in the document `path` (None: it is no file); None when the rule is gone by now."""
    from locum.detect.engine import default_engine

    built_in = default_engine().rules.get(rule_id)
    if built_in is not None or path is None:
        return built_in
    try:
        return scanner().rules(Path(path)).get(rule_id)
    except LocumError:
        return None


def built_in_page(rule_id: str) -> str:
    """Return the vendor's page of a built-in rule, "" for none. A workspace's own rules may not send anybody anywhere."""
    from locum.detect.engine import default_engine

    rule = default_engine().rules.get(rule_id)
    return rule.url if rule is not None else ""


def _rules_left_out(problem: LocumError) -> None:
    """Say in the client's log that scans go on without somebody's rules; `locum.toml` shows the same where it is open."""
    print(f"locum: rules are left out: {problem.explain()}", file=sys.stderr, flush=True)  # noqa: T201 - stdout is the protocol's


@lru_cache(PROJECT_FILES)
def _declared(project: Project) -> frozenset[str] | None:
    if project.manifest not in _open_manifests and not project.manifest.is_file():
        return None
    try:
        return frozenset(_manifest_of(project).secrets)
    except LocumError:
        return None


def declared_names(project: Project) -> frozenset[str] | None:
    """Return the names that the project's manifest declares; None when there is none that can be read."""
    names = _declared(project)
    return names | _expected if names is not None and _expected else names


@contextmanager
def about_to_declare(name: str) -> Iterator[None]:
    """Take a name for declared already: a reference to it may be there a moment before the manifest says so."""
    _expected.add(name)
    try:
        yield
    finally:
        _expected.discard(name)


def forget_projects() -> None:
    """Look anew for manifests and roots from now on."""
    project_of.cache_clear()
    scanner.cache_clear()
    _declared.cache_clear()


def workspace_changed(added: Iterable[Path], removed: Iterable[Path] = ()) -> None:
    """Take the folders that the client opened and closed. Call `forget_projects` then."""
    _workspace.difference_update(removed)
    _workspace.update(added)


def workspace_folders() -> list[Path]:
    """Return the folders that the client has open, without those inside of others."""
    return [
        folder
        for folder in sorted(_workspace)
        if not any(folder.is_relative_to(other) for other in _workspace - {folder})
    ]


def manifest_edited(path: Path, text: str | None) -> bool:
    """Take the text of a manifest that is open in the editor; None when it is closed.

    Returns whether that changes what is said of other documents; `forget_projects` then.
    """
    project = Project(path.parent)
    try:
        after = parse_manifest(text) if text is not None else load_manifest(project)
    except LocumError:
        after = None  # broken at the moment: open, the last whole one goes on counting
    try:
        before = _manifest_of(project)
    except LocumError:
        before = None
    if text is None:
        _open_manifests.pop(path, None)
    elif after is None:
        return False
    else:
        _open_manifests[path] = after
    return before is None or after is None or _telling(before) != _telling(after)


def _telling(manifest: Manifest) -> tuple[object, ...]:
    return manifest.exclude, manifest.allow, manifest.rules, manifest.rule_files, manifest.secrets.keys()


def manifest_of(project: Project) -> Manifest:
    """Return the project's manifest as the editor has it, or had it when it was last whole; else as the disk has it now.

    An empty one when there is none that can be read. A look at the disk, unless it is open: not for what a keystroke waits for.
    """
    opened = _open_manifests.get(project.manifest)
    if opened is not None:
        return opened
    try:
        info = project.manifest.stat()
        return _stored_manifest(project, (info.st_mtime_ns, info.st_size))
    except (OSError, LocumError):
        return Manifest()


@lru_cache(PROJECT_FILES)
def _stored_manifest(project: Project, state: tuple[int, int]) -> Manifest:  # noqa: ARG001 - what tells one state from another
    return load_manifest(project)


def project_for(path: str | None) -> Project | None:
    """Return the project of a document; of one that is no file, the one folder's that is open, else None."""
    if path is not None:
        return project_of(Path(path).parent)
    folders = workspace_folders()
    return project_of(folders[0]) if len(folders) == 1 else None


def _manifest_of(project: Project) -> Manifest:
    """Read a manifest as it is open; else as it is on the disk."""
    return _open_manifests.get(project.manifest) or load_manifest(project)
