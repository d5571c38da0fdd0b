"""Which files of a tree are read, and how: ignore rules, caches, size, links. Knows nothing of what is looked for.

A walk never follows a link, opens regular files only and never blocks on one that became a pipe meanwhile. What it leaves
out although somebody might expect it (too big, not readable) is said, what is left out by rule (ignored, binary) is
counted. Files that are ignored *because* they hold secrets (`.env`, keys, MCP configurations) are read all the same.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from locum.text.decoding import is_binary

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MAX_FILE = 10 * 1024 * 1024
"""Bytes; a bigger file is data, not something that people write secrets into."""

Reason = Literal["too big", "binary", "not readable", "a link", "not a file"]

_CACHES = frozenset((
    ".git", ".hg", ".svn", ".jj", "node_modules", "bower_components", "__pycache__", ".venv", ".tox", ".nox", ".eggs",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".gradle", ".terraform", ".next", ".nuxt", ".yarn",
    ".pnpm-store",
))  # fmt: skip
"""Directories that tools fill and nobody edits."""
_METADATA = frozenset((".git", ".hg", ".svn", ".jj"))
"""Left out even where everything is asked for: histories are not text."""
_ALWAYS = (
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    "*.pem",
    "*.key",
    "mcp.json",
    ".mcp.json",
    ".npmrc",
    ".pypirc",
    ".netrc",
)
"""Names of files that are read although an ignore rule names them: that is why they are ignored."""
_TOOL_FOLDERS = frozenset((".vscode", ".cursor", ".claude", ".kiro", ".gemini", ".codex", ".idea", ".aws"))
"""Ignored directories in which such files are still looked for. All others are pruned."""
_CACHE_TAG = "CACHEDIR.TAG"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was asked for and not read."""

    path: Path
    reason: Reason


@dataclass(slots=True)
class _Rules:
    """The ignore rules of one directory and of those above it, nearest first."""

    base: str
    spec: GitIgnoreSpec
    above: _Rules | None = None

    def ignores(self, path: str, *, directory: bool) -> bool:
        """Say whether the nearest rule that speaks of `path` ignores it."""
        level: _Rules | None = self
        while level is not None:
            inside = path.startswith(level.base + os.sep) or level.base == os.sep
            relative = path[len(level.base) :].lstrip(os.sep).replace(os.sep, "/") + ("/" if directory else "")
            verdict = level.spec.check_file(relative).include if inside else None
            if verdict is not None:
                return verdict
            level = level.above
        return False


@dataclass(slots=True)
class Walk:
    """One walk over files and directories. `skipped` grows while `files` is consumed."""

    roots: Sequence[Path]
    use_ignore_files: bool = True
    exclude: Iterable[str] = ()
    """gitignore patterns of the project (`[scan] exclude`), relative to `exclude_base`."""
    exclude_base: Path = field(default_factory=Path)
    skipped: list[Skipped] = field(default_factory=list[Skipped])

    def files(self) -> Iterator[Path]:
        """Yield regular files, sorted within each directory, each once. A root that is a file is yielded as it is."""
        seen: set[str] = set()
        for root in self.roots:
            for path in self._below(os.path.abspath(root)):  # noqa: PTH100 - Path.resolve would follow links
                if path not in seen:
                    seen.add(path)
                    yield Path(path)

    def _below(self, root: str) -> Iterator[str]:
        if os.path.islink(root):  # noqa: PTH114 - paths stay strings here: this loop runs once per file
            self.skipped.append(Skipped(Path(root), "a link"))
        elif os.path.isdir(root):  # noqa: PTH112
            rules = self._rules_above(root)
            excluded = read_patterns(self.exclude)
            base = os.path.abspath(self.exclude_base)  # noqa: PTH100
            yield from self._directory(root, rules, _Rules(base, excluded) if excluded else None, sensitive_only=False)
        else:
            yield root

    def _directory(
        self, folder: str, rules: _Rules | None, excluded: _Rules | None, *, sensitive_only: bool
    ) -> Iterator[str]:
        """Yield the files below `folder`; `sensitive_only` when the folder itself is ignored."""
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            self.skipped.append(Skipped(Path(folder), "not readable"))
            return
        names = {entry.name for entry in entries}
        if self.use_ignore_files:
            if _CACHE_TAG in names or "pyvenv.cfg" in names:
                return
            if ".gitignore" in names:
                rules = _read_rules(folder, ".gitignore", rules)
        for entry in entries:
            if entry.is_symlink():
                continue
            directory = entry.is_dir(follow_symlinks=False)
            if excluded is not None and excluded.ignores(entry.path, directory=directory):
                continue
            ignored = sensitive_only or (rules is not None and rules.ignores(entry.path, directory=directory))
            if not directory:
                if (not ignored or _is_sensitive(entry.name)) and entry.is_file(follow_symlinks=False):
                    yield entry.path
            elif entry.name not in (_CACHES if self.use_ignore_files else _METADATA) and (
                not ignored or entry.name in _TOOL_FOLDERS
            ):
                yield from self._directory(entry.path, rules, excluded, sensitive_only=ignored)

    def _rules_above(self, root: str) -> _Rules | None:
        """Read the ignore files from the repository's root down to above `root`, and the repository's own exclusions."""
        if not self.use_ignore_files:
            return None
        folders = [root]
        while not os.path.exists(os.path.join(folders[-1], ".git")):  # noqa: PTH110, PTH118
            parent = os.path.dirname(folders[-1])  # noqa: PTH120
            if parent == folders[-1]:
                return None
            folders.append(parent)
        top = folders[-1]
        rules = _read_rules(top, os.path.join(".git", "info", "exclude"), None)  # noqa: PTH118
        for folder in reversed(folders[1:]):
            rules = _read_rules(folder, ".gitignore", rules)
        return rules


def read_file(path: Path, limit: int = MAX_FILE) -> bytes | Skipped:
    """Return a text file's bytes, or why there are none. Never raises, never blocks, never follows a link at the end."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return Skipped(path, "a link" if path.is_symlink() else "not readable")
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            return Skipped(path, "not a file")
        if info.st_size > limit:
            return Skipped(path, "too big")
        with open(descriptor, "rb", buffering=0, closefd=False) as file:
            data = file.read(limit + 1) or b""
    except OSError:
        return Skipped(path, "not readable")
    finally:
        os.close(descriptor)
    if len(data) > limit:
        return Skipped(path, "too big")
    if is_binary(data):
        return Skipped(path, "binary")
    return data


def _is_sensitive(name: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern) for pattern in _ALWAYS)


def _read_rules(folder: str, name: str, above: _Rules | None) -> _Rules | None:
    """Put the rules in an ignore file before those of the directories above."""
    data = read_file(Path(folder) / name, 1 << 20)
    spec = None if isinstance(data, Skipped) else read_patterns(data.decode("utf-8", "replace").splitlines())
    return above if spec is None else _Rules(folder, spec, above)


def read_patterns(lines: Iterable[str]) -> GitIgnoreSpec | None:
    """Return gitignore patterns ready to ask, None when there are none. Lines that are no pattern say nothing."""
    wanted = [line for line in lines if line.strip() and not line.startswith("#")]
    if not wanted:
        return None
    from pathspec import GitIgnoreSpec  # 10 ms and more: only where there is something to ignore

    patterns: list[Any] = []
    for line in wanted:
        try:
            patterns += GitIgnoreSpec.from_lines([line]).patterns
        except ValueError:
            continue  # git, too, passes over a pattern that it cannot read
    return GitIgnoreSpec(patterns)
