"""Carrying out what was planned: all files or none, through no link, with a copy of what was there before."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from locum.agents.install.diff import holds_secrets
from locum.errors import LocumError, UsageProblem
from locum.paths import Paths, private_dir
from locum.workspace.safe_write import create_bytes, remove_bytes, replace_bytes

if TYPE_CHECKING:
    from locum.agents.install import FileChange

_MOST = 64 << 20


def read(path: Path) -> str | None:
    """Return a file's text, None when there is no file. Raises UsageProblem for a link and for what is no text."""
    try:
        if path.is_symlink():
            raise UsageProblem(
                "agent.link", f"{path} is a link, and Locum writes through none; nothing was written",
                "Put a file there, or run this where the link leads.",
            )  # fmt: skip
        if not path.is_file() and path.exists():
            raise UsageProblem("agent.kind", f"{path} is no regular file; nothing was written", "Look at it.")
        data = path.read_bytes()
        if len(data) > _MOST:
            raise UsageProblem("agent.size", f"{path} is over 64 MiB; nothing was written", "Look at it.")
        return data.decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        cause = type(error).__name__
        raise UsageProblem(
            "agent.read", f"{path} cannot be read as UTF-8 ({cause}); nothing was written", "Look at it."
        ) from None


def carry_out(changes: Sequence[FileChange], paths: Paths) -> list[Path]:
    """Write them. Returns the files of which no copy was kept, because they hold secrets in plain text.

    Raises LocumError; what was written before that is put back.
    """
    kept = [change for change in changes if change.existed and change.after]  # what goes whole was ours alone
    uncopied = [change.path for change in kept if not _keep(change, paths)]
    done: list[FileChange] = []
    try:
        for change in changes:
            _write(change, change.before, change.after, existed=change.existed)
            done.append(change)
    except LocumError:
        for change in reversed(done):
            with contextlib.suppress(LocumError):
                if change.existed:
                    _write(change, change.after, change.before, existed=bool(change.after))
                else:
                    _remove(change, change.after)
        raise
    return uncopied


def _write(change: FileChange, before: str, after: str, *, existed: bool) -> None:
    if not existed:
        create_bytes(change.root, change.path, after.encode())
    elif after:
        replace_bytes(change.root, change.path, before.encode(), after.encode())
    else:
        _remove(change, before)


def _remove(change: FileChange, text: str) -> None:
    """Take a file away, and the folders that are empty then."""
    remove_bytes(change.root, change.path, text.encode())
    folder = change.path.parent
    while folder != change.root and folder.is_relative_to(change.root):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _keep(change: FileChange, paths: Paths) -> bool:
    """Keep a copy of a file as it was, under a name that says where it lay. Not of one with secrets."""
    if holds_secrets(change.before):
        return False
    folder = private_dir(paths.state / "agents")
    copy = folder / quote(str(change.path), safe="")[-200:]
    try:
        copy.unlink(missing_ok=True)
        create_bytes(folder, copy, change.before.encode(), mode=0o600)
    except OSError as error:
        cause = error.strerror
        raise UsageProblem(
            "agent.copy", f"no copy can be kept in {folder} ({cause}); nothing was written", "Look at it."
        ) from None
    return True
