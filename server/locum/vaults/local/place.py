"""The vault file on disk: locked, checked, replaced whole. Knows no format.

A writer holds `FILE.lock` (never deleted: a lock on a file that somebody else replaces is no lock), writes a temporary
file beside the old one, has it on disk before the name changes, and has the name on disk before it says so. A reader
needs no lock: it sees the old file or the new one.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from locum.paths import private_dir
from locum.vaults.interface import VaultError

_CLOEXEC_NOFOLLOW = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class Place:
    """One file that is read whole and replaced whole."""

    def __init__(self, path: Path, max_size: int) -> None:
        self.path = path
        self._max_size = max_size

    def exists(self) -> bool:
        """Say whether there is anything under the name (also a link: it is then refused on reading)."""
        return os.path.lexists(self.path)

    def read(self) -> bytes:
        """Return the file's bytes. Raises VaultError: absent, not a private file of ours, too large."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _CLOEXEC_NOFOLLOW)
        except FileNotFoundError:
            raise VaultError("vault.absent", f"no vault at {self.path}", "Make one: locum vault init") from None
        except OSError as error:
            raise VaultError("vault.io", f"{self.path} cannot be read ({error.strerror})") from None
        with os.fdopen(descriptor, "rb") as file:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                raise VaultError("vault.io", f"{self.path} is no file")
            if os.name == "posix" and (info.st_uid != os.geteuid() or info.st_mode & 0o077):
                raise VaultError("vault.io", f"{self.path} is open to others", f"chmod 600 {self.path}")
            if info.st_size > self._max_size:
                raise VaultError("vault.io", f"{self.path} is too large for a vault")
            return file.read(self._max_size + 1)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the writers' lock."""
        private_dir(self.path.parent)
        with self._io_errors():
            descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | _CLOEXEC_NOFOLLOW, 0o600)
        try:
            _lock(descriptor)
            self._sweep()
            yield
        finally:
            os.close(descriptor)

    def replace(self, data: bytes, check: Callable[[bytes], None]) -> None:
        """Put `data` in the place of the file; `check` sees the bytes as they came back from the disk and may refuse.

        Call it under `locked`. Raises VaultError (`vault.io`); the old file then stands as it stood.
        """
        temporary = Path(f"{self.path}.tmp.{os.getpid()}")
        with self._io_errors():
            try:
                descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _CLOEXEC_NOFOLLOW, 0o600)
                with os.fdopen(descriptor, "rb+") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(descriptor)
                    file.seek(0)
                    check(file.read())
                self._keep_previous()
                temporary.replace(self.path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            self._sync_folder()

    def _keep_previous(self) -> None:
        """Let the old file live on under `.bak` (a second name for it: no bytes are copied)."""
        if self.path.exists():
            backup, link = Path(f"{self.path}.bak"), Path(f"{self.path}.tmp.bak")
            link.unlink(missing_ok=True)
            link.hardlink_to(self.path)
            link.replace(backup)
            link.unlink(missing_ok=True)  # rename(2) does nothing when both are names of one file already

    def _sweep(self) -> None:
        """Remove what writers left behind that were killed; we hold the lock, so no other writer lives."""
        for leftover in self.path.parent.glob(f"{self.path.name}.tmp.*"):
            leftover.unlink(missing_ok=True)

    def _sync_folder(self) -> None:
        if os.name == "posix":
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextlib.contextmanager
    def _io_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"{self.path} cannot be written ({error.strerror})"
            raise VaultError("vault.io", message, "Nothing was changed. Free space or mend the folder.") from None


def _lock(descriptor: int) -> None:
    if os.name == "posix":
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)
    else:
        import msvcrt  # LockFileEx on one byte; waits ten seconds, then raises OSError

        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - Windows only
