"""A file's content for one task only: what stands on disk is read once, and its rendered copy is kept in memory.

The copy is a sealed memfd (Linux) that the task inherits, and a link with the file's own name in a private folder, for
programs that look at the extension. No value is on any file system: the link leads to `/proc/PID/fd/N`.

What an inherited descriptor means (level L0): the task and what it starts read the copy like a file, and so can every
other program of the same user through `/proc` while the task has it open. A task that closes what it inherits before it
reads (`sudo` does), or that runs under another user or in a container, finds nothing there; nor does one that follows
links to their end before it opens a file (PHP, Node's `require`, Python's `Path.resolve`): memory has no such end.
`mounted` is the way for those that do.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from locum.errors import UsageProblem
from locum.paths import private_dir
from locum.run.memory import seal, sealable_memory, write_value
from locum.run.patterns import SHORTEST
from locum.secret import SecretBytes

MAX_FILE = 1 << 20
"""Bytes of a file that is rendered."""

_PREFIX = "rendered-"


@dataclass(frozen=True, slots=True)
class Template:
    """A file with references, as it was read."""

    typed: str
    """As the person named it."""
    real: str
    """Its absolute path without links."""
    text: str
    digest: str
    """SHA-256 of its bytes, which hold references and no values: what an approval is bound to."""
    identity: tuple[int, int]
    """Its device and inode."""

    def check_unchanged(self, *, same_file: bool = False) -> None:
        """Raise UsageProblem unless the file still is what was approved; `same_file`: and no other one with equal bytes."""
        now = read_template(self.typed)
        if now.digest != self.digest or (same_file and (now.real, now.identity) != (self.real, self.identity)):
            raise changed(self.typed)


def read_template(name: str) -> Template:
    """Read a regular file of UTF-8 text, up to 1 MiB. Raises UsageProblem (`render.file`)."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        link = isinstance(error, OSError) and error.errno == errno.ELOOP
        reason = "it is a link" if link else _reason(error)
        raise _unusable(name, reason, "Name the file that it leads to." if link else "") from None
    info = os.fstat(descriptor)
    if not stat.S_ISREG(info.st_mode):
        os.close(descriptor)
        raise _unusable(name, "it is no regular file")
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        raw = file.read(MAX_FILE + 1)
    if len(raw) > MAX_FILE:
        raise _unusable(name, "it is over 1 MiB")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _unusable(name, "it is not UTF-8 text") from None
    digest = hashlib.sha256(raw).hexdigest()
    return Template(name, os.path.realpath(name), text, digest, (info.st_dev, info.st_ino))


def changed(typed: str) -> UsageProblem:
    """Return the error for a file that is no longer what was read or approved."""
    return UsageProblem(
        "render.changed", f"{typed} was changed while you were asked", "Nothing was started: run it again."
    )


def spelt(text: str, copy: SecretBytes, values: Mapping[str, SecretBytes]) -> list[tuple[str, SecretBytes]]:
    """Return what stands in a copy in the place of references, as its syntax spells it, each with its reference.

    `text` is the template, `values` are by reference. What stands there as it is, or is too short, is left out.
    """
    plain = [bytes(value.view()) for value in values.values()]
    before, after = text.encode().split(b"\n"), bytes(copy.view()).split(b"\n")
    found: dict[bytes, str] = {}
    if len(before) == len(after):
        for old, new in zip(before, after, strict=True):
            if old != new:
                references = [name for name in values if name.encode() in old]
                found[_changed(old, new, references)] = max(references, key=len, default=next(iter(values)))
    else:  # a value that spans lines: its lines are those that were not there before
        found = dict.fromkeys((line.strip() for line in after if line not in before), next(iter(values)))
    return [(name, SecretBytes(form)) for form, name in found.items() if len(form) >= SHORTEST and form not in plain]


def _changed(old: bytes, new: bytes, references: Iterable[str]) -> bytes:
    """Return the part of a line of the copy that is not as in the template, from the first reference to the last.

    Where a reference is spelt in another way than it is written, the part where the two lines differ.
    """
    first = min((old.index(name.encode()) for name in references), default=len(old))
    last = max((old.rindex(name.encode()) + len(name) for name in references), default=0)
    start = next((at for at in range(first) if old[at : at + 1] != new[at : at + 1]), first)
    most = min(len(old) - last, len(new) - start)
    same = next((at for at in range(most) if old[-1 - at] != new[-1 - at]), most)
    return new[start : len(new) - same]


class MemoryFile:
    """An empty file in memory with a path for the task; `fill` it once, `close` it when the task is over."""

    def __init__(self, name: str, runtime: Path) -> None:
        """`name` is the link's, `runtime` the folder that may hold it. Raises Unavailable where there is no such memory."""
        self._descriptor = sealable_memory()
        self._link: Path | None = None
        with contextlib.suppress(OSError, UsageProblem):  # then the plain path has to do
            _tidy(private_dir(runtime))
            folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=runtime))
            self._link = folder / name
            self._link.symlink_to(f"/proc/self/fd/{self._descriptor}")
        self.path = str(self._link) if self._link is not None else f"/dev/fd/{self._descriptor}"

    def fill(self, content: SecretBytes) -> None:
        """Write the content; from then on nobody can change it."""
        write_value(self._descriptor, content)
        seal(self._descriptor)
        os.set_inheritable(self._descriptor, True)

    def belong_to_this_process(self) -> None:
        """In the task, before it runs its program: let the link lead to this process.

        `/proc/self` is whoever opens it, and many programs (Node, Python) pass no descriptors on to what they start.
        """
        if self._link is None:
            return
        with contextlib.suppress(OSError):
            other = self._link.with_name(".locum")
            other.symlink_to(f"/proc/{os.getpid()}/fd/{self._descriptor}")
            other.replace(self._link)

    def close(self) -> None:
        """Remove the link and let go of the memory: it is free once the task has ended too."""
        os.close(self._descriptor)
        if self._link is not None:
            with contextlib.suppress(OSError):
                self._link.unlink(missing_ok=True)
                self._link.parent.rmdir()


def _tidy(runtime: Path) -> None:
    """Remove the links of launchers that were killed: where they lead may be another process's by now."""
    for folder in runtime.glob(f"{_PREFIX}*-*"):
        if not Path("/proc", folder.name.split("-")[1]).exists():
            with contextlib.suppress(OSError):
                for link in folder.iterdir():
                    link.unlink()
                folder.rmdir()


def _unusable(name: str, reason: str, hint: str = "") -> UsageProblem:
    return UsageProblem("render.file", f"cannot render {name}: {reason}", hint)


def _reason(error: Exception) -> str:
    return (error.strerror or "cannot be opened").lower() if isinstance(error, OSError) else "no such name"
