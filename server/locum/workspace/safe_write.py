"""Replacing the text of a file that nobody has open, so that nothing else can be hit and nothing is half done.

The file is reached folder by folder from a root, never through a link; it must be a regular file with one name and exactly
the bytes that were looked at. The new bytes are written beside it and change places with it in one step
(`renameat2(2)`, RENAME_EXCHANGE), and then what came out is looked at: when it is not the very file that was meant, it is
put back. So whatever others do to the name meanwhile, they find either their file or ours, whole, and no link is written
through. Where the system cannot exchange, the name is compared right before a plain rename: a file that takes the name in the
instant between is replaced, a link too, and never what it leads to.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from locum.errors import LocumError

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_LEFT = re.compile(r"\A\.(.+)\.locum-(\d{1,10})-[0-9a-f]{12}\Z")
_READ = os.O_RDONLY | _NOFOLLOW | _CLOEXEC | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC | getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | _NOFOLLOW | _CLOEXEC | getattr(os, "O_DIRECTORY", 0)
_ROOT = os.O_RDONLY | _CLOEXEC | getattr(os, "O_DIRECTORY", 0)
_HAS_FOLDERS = os.open in os.supports_dir_fd and os.rename in os.supports_dir_fd
"""Windows has no descriptors of folders: there paths are used, and the check before the rename is all there is."""
_CANNOT_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP}


class NotWritten(LocumError):
    """A file was left as it is. Codes: `file.changed`, `file.kind`, `file.write`."""


def replace_bytes(root: Path, path: Path, before: bytes, after: bytes) -> None:
    """Replace a file's bytes `before` by `after`; mode, owner and extended attributes stay.

    `path` lies below `root` (absolute, both). Raises NotWritten; the file is then as others left it.
    """
    try:
        with _folder(root, path.parent) as folder:
            _replace(folder, path.name if _HAS_FOLDERS else str(path), path, before, after)
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise NotWritten(
            "file.write", f"{path.name} cannot be written ({cause})", "Nothing in it was changed."
        ) from None


def create_bytes(root: Path, path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file that is not there yet, and the folders that lead to it from `root`, which is made when it is missing.

    Through no link. Raises NotWritten; no file is left then.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        _make_folders(root, path.parent)
        with _folder(root, path.parent) as folder:
            name = path.name if _HAS_FOLDERS else str(path)
            new = os.open(name, _NEW, mode, dir_fd=folder)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(new, rest) :]
                os.fsync(new)
            except OSError:
                os.unlink(name, dir_fd=folder)
                raise
            finally:
                os.close(new)
    except FileExistsError:
        raise _changed(path) from None
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise NotWritten("file.write", f"{path.name} cannot be written ({cause})", "Nothing was changed.") from None


def remove_bytes(root: Path, path: Path, before: bytes) -> None:
    """Take a file away that has exactly the bytes `before`. Through no link. Raises NotWritten."""
    try:
        with _folder(root, path.parent) as folder:
            name = path.name if _HAS_FOLDERS else str(path)
            old = os.open(name, _READ, dir_fd=folder)
            try:
                if not stat.S_ISREG(os.fstat(old).st_mode) or _bytes_of(old) != before:
                    raise _changed(path)
            finally:
                os.close(old)
            os.unlink(name, dir_fd=folder)
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise NotWritten("file.write", f"{path.name} cannot be removed ({cause})", "Nothing was changed.") from None


def _make_folders(root: Path, folder: Path) -> None:
    """Make the folders below `root` that are missing. One that is a link is found by `_folder`. Raises OSError."""
    here = root
    for part in folder.relative_to(root).parts:
        here /= part
        if here.is_symlink():
            raise NotWritten("file.kind", f"{here.name} is a link", "Nothing was changed.")
        here.mkdir(exist_ok=True)


@contextlib.contextmanager
def _folder(root: Path, folder: Path) -> Iterator[int | None]:
    """Open a folder below `root`, step by step, through no link. Raises OSError, NotWritten."""
    if not _HAS_FOLDERS:
        yield None
        return
    parts = folder.relative_to(root).parts
    if ".." in parts:
        raise NotWritten("file.kind", f"{folder} leads out of its project", "Nothing was changed.")
    here = os.open(root, _ROOT)
    try:
        for part in parts:
            below = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        yield here
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise NotWritten("file.kind", "its folder was replaced by a link", "Nothing was changed.") from None
        raise
    finally:
        os.close(here)


def is_left_behind(path: Path) -> bool:
    """Say whether a file is what a write that was killed has left: the old text or the new one, beside the file itself.

    Not while its writer lives. A value in it is in the vault by then: it is stored before anything is written.
    """
    match = _LEFT.search(path.name)
    if match is None or os.name != "posix" or not path.with_name(match[1]).exists():
        return False
    try:
        os.kill(int(match[2]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass
    return False


def _replace(folder: int | None, name: str, path: Path, before: bytes, after: bytes) -> None:
    try:
        old = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotWritten("file.kind", f"{path.name} is a link", "Nothing was changed.") from None
        raise
    temporary = f"{name if folder is None else '.' + name}.locum-{os.getpid()}-{secrets.token_hex(6)}"
    made = False
    try:
        info = os.fstat(old)
        if not stat.S_ISREG(info.st_mode):
            raise NotWritten("file.kind", f"{path.name} is no regular file", "Nothing was changed.")
        if info.st_nlink > 1:
            raise NotWritten(
                "file.kind", f"{path.name} has other names (hard links), which would keep the old text",
                "Edit it by hand, or remove the other names.",
            )  # fmt: skip
        if _bytes_of(old) != before:
            raise _changed(path)
        new = os.open(temporary, _NEW, 0o600, dir_fd=folder)
        made = True
        try:
            _fill(new, old, info, after)
            _swap(folder, name, temporary, path, (old, info), os.fstat(new), before)
        finally:
            os.close(new)
    finally:
        os.close(old)
        if made:
            with contextlib.suppress(OSError):  # not FileNotFoundError alone: what happened to the file is what counts
                os.unlink(temporary, dir_fd=folder)
    if folder is not None:
        with contextlib.suppress(OSError):  # the file is the new one by now, whatever its folder's disk says
            os.fsync(folder)


def _fill(new: int, old: int, info: os.stat_result, data: bytes) -> None:
    """Write the new file, with all that the old one has beside its bytes."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(new, rest) :]
    if hasattr(os, "fchown"):
        ours = os.fstat(new)
        if (ours.st_uid, ours.st_gid) != (info.st_uid, info.st_gid):
            os.fchown(new, info.st_uid, info.st_gid)
    if hasattr(os, "listxattr"):
        attributes: list[str] = []
        with contextlib.suppress(OSError):  # a file system without them
            attributes = os.listxattr(old)
        for attribute in attributes:
            with contextlib.suppress(OSError):  # one that only the system may set
                os.setxattr(new, attribute, os.getxattr(old, attribute))
    if hasattr(os, "fchmod"):
        os.fchmod(new, stat.S_IMODE(info.st_mode))
    os.fsync(new)


def _swap(
    folder: int | None, name: str, temporary: str, path: Path,
    old: tuple[int, os.stat_result], ours: os.stat_result, before: bytes,
) -> None:  # fmt: skip
    """Put the new file in the old one's place, or put everything back and raise NotWritten."""
    descriptor, info = old

    def there(what: str) -> tuple[int, int]:
        found = os.stat(what, dir_fd=folder, follow_symlinks=False)
        return found.st_dev, found.st_ino

    def is_unchanged() -> bool:
        return _bytes_of(descriptor) == before

    meant = info.st_dev, info.st_ino
    try:
        exchanged = _exchange(folder, temporary, name)
    except FileNotFoundError:
        raise _changed(path) from None
    if not exchanged:
        if there(name) != meant or not is_unchanged():
            raise _changed(path)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        return
    with contextlib.suppress(OSError):  # what cannot be looked at is put back
        if there(temporary) == meant and is_unchanged():
            return  # what is under the temporary name now is the old file, which goes
    try:
        _exchange(folder, temporary, name)
    except FileNotFoundError:  # somebody took one of the two away
        try:
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except FileNotFoundError:
            return  # there is nothing to put back: ours is all there is
        raise _changed(path) from None
    if there(temporary) != (ours.st_dev, ours.st_ino):
        _exchange(folder, temporary, name)  # somebody put a newer one there in between: that one stays
    raise _changed(path)


def _bytes_of(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    parts: list[bytes] = []
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _changed(path: Path) -> NotWritten:
    return NotWritten("file.changed", f"{path.name} has changed meanwhile", "It was left as it is; try again.")


def _exchange(folder: int | None, one: str, other: str) -> bool:
    """Let two names change places. Returns False where the system cannot. Raises OSError."""
    call = _exchanger()
    if call is None or folder is None:
        return False
    function, flag = call
    if function(folder, os.fsencode(one), folder, os.fsencode(other), flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number))


@cache
def _exchanger() -> tuple[ctypes._NamedFuncPointer, int] | None:  # pyright: ignore[reportPrivateUsage] - the type has no public name
    """Return the C function and its flag: renameat2(2) on Linux, renameatx_np(2) on macOS (not run there yet)."""
    name, flag = ("renameatx_np", 2) if sys.platform == "darwin" else ("renameat2", 2)
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError, TypeError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return function, flag
