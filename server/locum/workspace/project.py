"""A project on disk: its root, its identity and its manifest file.

The root is the nearest directory upwards that holds `locum.toml`, else the nearest that holds `.git`, else the starting
directory itself. Nothing read here is trusted with more than naming and requesting (promise P6).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from locum.errors import UsageProblem
from locum.refs.manifest import FILE_NAME, Manifest, parse_manifest

_MAX_MANIFEST = 1 << 20
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Project:
    """Where a file belongs. `id` is the manifest's project id, or "" (the same file then still gives the same answer
    in every clone, which a path or a git directory would not)."""

    root: Path
    id: str = ""

    @property
    def manifest(self) -> Path:
        """The manifest's path; the file may not exist."""
        return self.root / FILE_NAME

    def relative(self, path: Path) -> str:
        """Return `path` as seen from the root, with `/`; outside of it, the file's name alone."""
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            return path.name


def find_project(path: Path, base: Path | None = None) -> Project:
    """Return the project that `path` (a file or directory, which need not exist) belongs to. Never raises.

    Without a manifest or a repository it is `base`, where that holds `path`, else the directory.
    """
    start = path.absolute()
    git_root: Path | None = None
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return Project(folder, _project_id(folder / FILE_NAME))
        if git_root is None and (folder / ".git").exists():
            git_root = folder
    if git_root is not None:
        return Project(git_root)
    if base is not None and start.is_relative_to(base):
        return Project(base)
    return Project(start if start.is_dir() else start.parent)


def load_manifest(project: Project) -> Manifest:
    """Read the project's manifest; an empty one when there is no file. Raises ManifestProblem or UsageProblem."""
    text = read_manifest_text(project)
    return parse_manifest(text) if text else Manifest()


def read_manifest_text(project: Project) -> str:
    """Return the manifest's text, "" when there is none. Raises UsageProblem when it cannot be read."""
    path = project.manifest
    try:
        return _read(path).decode("utf-8")  # line ends as they are: it may be written back
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        cause = type(error).__name__
        raise UsageProblem("manifest.read", f"{path} cannot be read ({cause})", "Check the file.") from None


def _read(path: Path) -> bytes:
    """Read a manifest, and no pipe or device that a workspace has in its place. Raises OSError, UsageProblem."""
    with open(os.open(path, _READ), "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UsageProblem("manifest.read", f"{path} is no regular file", "Put a file there.")
        data = file.read(_MAX_MANIFEST + 1)
    if len(data) > _MAX_MANIFEST:
        raise UsageProblem("manifest.size", f"{path} is over 1 MiB", "A manifest names secrets; it holds no data.")
    return data


def write_manifest_text(project: Project, text: str) -> None:
    """Replace the manifest atomically, keeping its mode. Raises UsageProblem; the old file then stands as it was."""
    path = project.manifest
    if path.is_symlink():
        raise UsageProblem(
            "manifest.link", f"{path} is a link", "Put a file there: Locum does not write through links."
        )
    import tempfile  # 6 ms: only writers need it

    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        descriptor, temporary = tempfile.mkstemp(prefix=f".{FILE_NAME}.", dir=project.root)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), mode) if hasattr(os, "fchmod") else None
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        cause = error.strerror
        raise UsageProblem("manifest.write", f"{path} cannot be written ({cause})", "Check its folder.") from None


def _project_id(manifest: Path) -> str:
    """Read only the id, leniently: a broken manifest must not change where a file belongs."""
    import tomllib

    try:
        table = tomllib.loads(_read(manifest).decode("utf-8")).get("project")
    except (OSError, UsageProblem, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return ""
    value = table.get("id") if isinstance(table, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - TOML is untyped
    return value if isinstance(value, str) else ""
