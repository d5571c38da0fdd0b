"""The scripts of a task as they were allowed: looked at again before the task starts, or run from copies of our own.

A person who has just said yes has seen what there is; then the files are compared once more, in the task's process, at the
last moment before its program runs. Where no person looked, because a yes stands, that moment would be enough for a swap:
so the task finds sealed copies, which hold what the yes was given to, at the files' own paths (`mounted`).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locum.errors import EXIT_DENIED, NotAllowed
from locum.run.program import NotStarted
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from locum.run.mounted import MountedFiles


class Scripts:
    """The files that an approval covers, by path with the SHA-256 of their bytes."""

    def __init__(self, covered: Iterable[Mapping[str, Any]], *, frozen: bool, runtime: Path) -> None:
        """Compare them, and with `frozen` put their copies in place.

        `runtime` as for `MountedFiles`. Raises NotAllowed (`denied.changed`), Unavailable where nothing can be mounted.
        """
        self._digests = {str(item["path"]): str(item["digest"]) for item in covered}
        self._space: MountedFiles | None = None
        contents = {path: self._approved(path) for path in self._digests}
        if frozen and contents:
            self._space = _mount(contents, runtime)

    def _approved(self, path: str) -> tuple[bytes, tuple[int, int]]:
        found = _read(path)
        if found is None or hashlib.sha256(found[0]).hexdigest() != self._digests[path]:
            raise NotAllowed(
                "denied.changed", f"{path} is no longer what was allowed", "Nothing was started: run it again."
            )
        return found

    def in_child(self) -> None:
        """In the task's process, before its program runs. Raises NotStarted."""
        if self._space is not None:
            self._space.enter()
            return
        try:
            for path in self._digests:
                self._approved(path)
        except NotAllowed as problem:
            raise NotStarted(f"{problem.message}: nothing was started", EXIT_DENIED) from None

    def close(self) -> None:
        """Let go of the copies."""
        if self._space is not None:
            self._space.close()


def _mount(contents: Mapping[str, tuple[bytes, tuple[int, int]]], runtime: Path) -> MountedFiles:
    from locum.run.mounted import MountedFiles
    from locum.run.rendered import Template

    templates = [Template(path, path, "", "", identity) for path, (_, identity) in contents.items()]
    space = MountedFiles(templates, runtime, executable=True)
    for at, (raw, _) in enumerate(contents.values()):
        space.fill(at, SecretBytes(raw))
    space.end_writing()
    return space


def _read(path: str) -> tuple[bytes, tuple[int, int]] | None:
    """Return a regular file's bytes, with device and inode."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            return None
        return file.read(), (info.st_dev, info.st_ino)
