"""What operating systems do differently when a private file must be on disk. Knows no format and no vault.

POSIX is tested. The branches for Windows and macOS follow their documentation; nobody has run them.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

_FLAGS = (
    getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)  # a link under our name is somebody else's choice of file
    | getattr(os, "O_BINARY", 0)  # Windows would translate line ends
    | getattr(os, "O_NONBLOCK", 0)  # a planted FIFO must not hold us
)

if sys.platform == "win32":
    import msvcrt

    def lock(descriptor: int) -> None:
        """Wait for the exclusive lock. Raises OSError; Windows gives up after ten seconds."""
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)

    def try_lock(descriptor: int) -> bool:
        """Take the exclusive lock if nobody has it; say whether it is ours."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def sync(descriptor: int) -> None:
        """Return when the file's bytes are on disk. Raises OSError."""
        os.fsync(descriptor)

    def sync_folder(folder: Path) -> None:
        """Do nothing: a folder cannot be opened here, and NTFS journals names."""

else:
    import fcntl

    def lock(descriptor: int) -> None:
        """Wait for the exclusive lock. Raises OSError."""
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def try_lock(descriptor: int) -> bool:
        """Take the exclusive lock if nobody has it; say whether it is ours. Raises OSError."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def sync(descriptor: int) -> None:
        """Return when the file's bytes are on disk. Raises OSError."""
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync(2) leaves them in the drive's cache there
        else:
            os.fsync(descriptor)

    def sync_folder(folder: Path) -> None:
        """Return when the names in a folder are on disk. Raises OSError."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_private(path: Path | str, flags: int) -> int:
    """Open a file, never through a link; a new one is 0600. Raises OSError."""
    return os.open(path, flags | _FLAGS, 0o600)


def replace_private(path: Path, data: bytes) -> None:
    """Put a new 0600 file in the place of one, whole or not at all, on disk before it gets the name. Raises OSError."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        write_all(descriptor, data)
        sync(descriptor)  # else a power cut could leave an empty file under the name
    finally:
        os.close(descriptor)
    temporary.replace(path)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte. Raises OSError; some bytes may then have been written."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_all(descriptor: int, most: int) -> bytes:
    """Return the file's bytes from its beginning, at most `most`. Raises OSError."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    parts: list[bytes] = []
    while most > 0 and (part := os.read(descriptor, most)):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def is_ours(info: os.stat_result) -> bool:
    """Say whether this is a regular file of this user."""
    return stat.S_ISREG(info.st_mode) and (os.name != "posix" or info.st_uid == os.geteuid())


def is_open_to_others(info: os.stat_result) -> bool:
    """Say whether anybody else may read or write it."""
    return os.name == "posix" and bool(info.st_mode & 0o077)
