"""Files that are only in memory and that nobody can change once they are written (memfd_create(2)): Linux."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os

from locum.errors import Unavailable
from locum.secret import SecretBytes
from locum.vaults.local.disk import write_all

_NOEXEC_SEAL = 0x0008  # MFD_NOEXEC_SEAL, include/uapi/linux/memfd.h; since Linux 6.3
_FIRST_DESCRIPTOR = 64
"""Shells open the ones below for themselves."""


def sealable_memory() -> int:
    """Return the descriptor of an empty file in memory that can be sealed, closed on exec. Raises Unavailable."""
    if not hasattr(os, "memfd_create"):
        raise _no_memory("this system has none")
    try:
        try:
            made = os.memfd_create("locum", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | _NOEXEC_SEAL)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            made = os.memfd_create("locum", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)  # an older kernel
    except OSError as error:
        raise _no_memory((error.strerror or "it cannot be made").lower()) from None
    os.fchmod(made, 0o600)  # programs refuse credentials that others may read
    for first in (_FIRST_DESCRIPTOR, 3):
        with contextlib.suppress(OSError):  # above the process's limit
            descriptor = fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, first)
            os.close(made)
            return descriptor
    os.close(made)
    raise _no_memory("too many files are open")


def write_value(descriptor: int, value: SecretBytes) -> None:
    """Write a value whole. Raises OSError."""
    with value.view() as view:
        write_all(descriptor, view)


def seal(descriptor: int) -> None:
    """Let nobody change the file any more; who reads by this descriptor begins at its beginning."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    fcntl.fcntl(
        descriptor, fcntl.F_ADD_SEALS,
        fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE,
    )  # fmt: skip


def _no_memory(reason: str) -> Unavailable:
    return Unavailable(
        "unavailable.memory", f"a file in memory is needed, which Linux has: {reason}",
        "Pass the value as a variable: locum run --secret NAME -- CMD",
    )  # fmt: skip
