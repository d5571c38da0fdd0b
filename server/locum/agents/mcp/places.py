"""Where an agent may point: files and folders inside of the roots that the server was started for, links followed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from locum.errors import UsageProblem
from locum.refs.manifest import Manifest
from locum.workspace.project import Project, find_project, load_manifest


class Places:
    """The roots. All paths that come out are real ones: no part of them is a link."""

    def __init__(self, roots: Iterable[Path]) -> None:
        """Take the folders. Raises UsageProblem for one that is none, or that holds everything."""
        self.roots = tuple(dict.fromkeys(Path(os.path.realpath(root)) for root in roots))
        for root in self.roots:
            if not root.is_dir() or root == Path(root.anchor):
                raise UsageProblem(
                    "mcp.root", f"{root} cannot be the workspace", "Start it in a project's folder: --root DIR"
                )

    @property
    def first(self) -> Path:
        """The root that is meant where nothing else is said."""
        return self.roots[0]

    def file(self, text: str) -> Path:
        """Return a regular file. Raises UsageProblem."""
        path = self._inside(text)
        if not path.is_file():
            raise UsageProblem("mcp.path", "there is no such file in the workspace", "Give its path from the root.")
        return path

    def folder(self, text: str) -> Path:
        """Return a folder. Raises UsageProblem."""
        path = self._inside(text)
        if not path.is_dir():
            raise UsageProblem("mcp.path", "there is no such folder in the workspace", "Give its path from the root.")
        return path

    def either(self, text: str) -> Path:
        """Return a file or a folder. Raises UsageProblem."""
        path = self._inside(text)
        return path if path.is_dir() else self.file(text)

    def project(self, path: Path) -> Project:
        """Return the project of a path; its root is in the workspace too. Raises UsageProblem."""
        project = find_project(path, base=self.first)
        if not self.holds(project.root):
            raise UsageProblem(
                "mcp.project",
                "the project of this folder begins above the workspace",
                "Start locum mcp with --root at its root.",
            )
        return project

    def manifest(self, path: Path) -> tuple[Project, Manifest]:
        """Return the project of a path and its manifest. Raises UsageProblem, ManifestProblem."""
        project = self.project(path)
        if not self.holds(Path(os.path.realpath(project.manifest))):
            raise UsageProblem("mcp.project", "locum.toml is a link that leads out of the workspace")
        return project, load_manifest(project)

    def manifests(self) -> Iterator[tuple[Project, Manifest]]:
        """Yield the projects of the roots, each once, with their manifests. Raises UsageProblem, ManifestProblem."""
        seen = set[Path]()
        for root in self.roots:
            project, manifest = self.manifest(root)
            if project.root not in seen:
                seen.add(project.root)
                yield project, manifest

    def shown(self, path: Path) -> str:
        """Return a path as seen from the first root that holds it, with `/`."""
        for root in self.roots:
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
        return path.name

    def holds(self, path: Path) -> bool:
        """Say whether a real path lies in a root."""
        return any(path.is_relative_to(root) for root in self.roots)

    def _inside(self, text: str) -> Path:
        try:
            path = Path(os.path.realpath(self.first / text))
        except (OSError, ValueError):
            raise UsageProblem("mcp.path", "this is no path") from None
        if not self.holds(path):
            raise UsageProblem(
                "mcp.path", "this path leads out of the workspace", "Give one inside of it; links are followed first."
            )
        return path
