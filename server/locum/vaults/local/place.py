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
from locum.vaults.local.disk import (
    is_open_to_others,
    is_ours,
    lock,
    open_private,
    read_all,
    sync,
    sync_folder,
    write_all,
)

_UNCHANGED = "Nothing was changed. Free space or mend the folder."


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
            descriptor = open_private(self.path, os.O_RDONLY)
        except FileNotFoundError:
            raise VaultError("vault.absent", f"no vault at {self.path}", "Make one: locum vault init") from None
        except OSError as error:
            raise VaultError("vault.io", f"{self.path} cannot be read ({error.strerror})") from None
        try:
            self._check_private(os.fstat(descriptor), self.path.parent.lstat())
            return read_all(descriptor, self._max_size + 1)
        except OSError as error:
            raise VaultError("vault.io", f"{self.path} cannot be read ({error.strerror})") from None
        finally:
            os.close(descriptor)

    def _check_private(self, file: os.stat_result, folder: os.stat_result) -> None:
        if not is_ours(file):
            raise VaultError("vault.io", f"{self.path} is not a file of yours")
        if is_open_to_others(file):
            raise VaultError("vault.io", f"{self.path} is open to others", f"chmod 600 {self.path}")
        if file.st_size > self._max_size:
            raise VaultError("vault.io", f"{self.path} is too large for a vault")
        if os.name == "posix":
            where = self.path.parent
            if not stat.S_ISDIR(folder.st_mode) or folder.st_uid != os.geteuid():
                raise VaultError("vault.io", f"{where} is not a folder of yours", "Set LOCUM_HOME to one of your own.")
            if folder.st_mode & 0o022:  # who can rename in it can put an older vault back
                raise VaultError("vault.io", f"{where} can be written by others", f"chmod 700 {where}")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the writers' lock. Raises VaultError, UsageProblem (the folder is not private)."""
        with self._io_errors():
            private_dir(self.path.parent)
            descriptor = open_private(f"{self.path}.lock", os.O_RDWR | os.O_CREAT)
        try:
            with self._io_errors():
                lock(descriptor)
                self._sweep()
            yield
        finally:
            os.close(descriptor)

    def replace(self, data: bytes, check: Callable[[bytes], None]) -> None:
        """Put `data` in the place of the file. Call it under `locked`.

        `check` sees the bytes twice as they come back, and may refuse: from the temporary file, before anything has
        changed, and from the file under its name. Raises VaultError; `vault.unsure` says that the new file has its name
        already, every other code that the old file stands as it stood.
        """
        temporary = Path(f"{self.path}.tmp.{os.getpid()}")
        with self._io_errors():
            try:
                self._write_temporary(temporary, data, check)
                self._keep_previous()
                temporary.replace(self.path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        try:
            sync_folder(self.path.parent)
            check(self.read())
        except (OSError, VaultError) as error:
            what = error.message if isinstance(error, VaultError) else error.strerror
            hint = f"Check the disk. The generation before it is {self.path.name}.bak."
            raise VaultError(
                "vault.unsure", f"{self.path} was written, but is not safely there ({what})", hint
            ) from None

    @staticmethod
    def _write_temporary(temporary: Path, data: bytes, check: Callable[[bytes], None]) -> None:
        descriptor = open_private(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            write_all(descriptor, data)
            sync(descriptor)
            check(read_all(descriptor, len(data) + 1))
        finally:
            os.close(descriptor)

    def _keep_previous(self) -> None:
        """Let the old file live on under `.bak`: as a second name for it, or as a copy where there are no hard links."""
        if not self.path.exists():
            return
        backup, kept = Path(f"{self.path}.bak"), Path(f"{self.path}.tmp.bak")
        kept.unlink(missing_ok=True)
        try:
            kept.hardlink_to(self.path)
        except OSError:  # exFAT, some network and container file systems
            self._write_temporary(kept, self.read(), lambda _: None)
        kept.replace(backup)
        kept.unlink(missing_ok=True)  # rename(2) does nothing when both are names of one file already

    def _sweep(self) -> None:
        """Remove what writers left behind that were killed; we hold the lock, so no other writer lives."""
        for leftover in self.path.parent.iterdir():
            if leftover.name.startswith(f"{self.path.name}.tmp."):
                leftover.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _io_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise VaultError("vault.io", f"{self.path} cannot be written ({error.strerror})", _UNCHANGED) from None
