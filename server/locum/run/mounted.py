"""Rendered copies at their files' own paths, for one task only: a mount namespace that the task and its children live in.

Made before a person is asked, so that nobody approves what this system cannot do: a process of its own makes the
namespace, mounts an empty copy over each file, hands back what leads there, and ends. The launcher fills the copies;
the task enters before its program runs. No directory entry and no file is made anywhere: with the task's last process
the kernel forgets all of it, also after `kill -9`.

The copies lie in ramfs: it is never swapped, unlike tmpfs (an image of the whole memory, as for hibernation, does hold
it; `mlock` would not help, for a program does not inherit it). They have their file's mode, and owner where this user
may give it, and are read-only: what a program writes there would be lost, so it is told instead.

Without root's rights the namespace belongs to a user namespace in which nobody but this user and its group exist: the
task keeps its user, but programs that become another one (sudo, ping) do not, and other owners show as nobody.

Level L0: programs of the same user reach the copy through `/proc/PID/root`. Whoever replaces a file on disk (a
checkout, an editor's save) takes the copy away from the task, which then reads the file with its references.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from locum.errors import EXIT_DENIED, EXIT_USAGE, Unavailable
from locum.paths import private_dir
from locum.run.children import die_with_parent
from locum.run.memory import write_value
from locum.run.program import NotStarted
from locum.run.rendered import Template, changed
from locum.secret import SecretBytes

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000  # include/uapi/linux/sched.h
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 1, 2, 4, 8, 32  # include/uapi/linux/mount.h
_MS_BIND, _MS_REC, _MS_SLAVE = 1 << 12, 1 << 14, 1 << 19
_MNT_DETACH = 2  # include/linux/fs.h
_NO_RIGHTS = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
_DONE, _CHANGED, _REFUSED = b"+", b"c", b"-"  # the first byte of what the namespace's maker says

# What a system says when user namespaces are switched off, by the file that switches them.
_SWITCHES = (
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor keeps user namespaces from this program"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone is 0"),
    ("/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces is 0"),
)


class MountedFiles:
    """A namespace with a copy at each file's path: `fill` each once, `enter` in the task, `close` when it is over."""

    def __init__(self, templates: Sequence[Template], runtime: Path, *, executable: bool = False) -> None:
        """`runtime` is a folder of ours, which serves as a place to mount and stays as it is.

        `executable`: the copies may be run as programs.

        Raises Unavailable where this system gives no such namespace, UsageProblem when a file is no longer what was read.
        """
        self._templates = list(templates)
        self._files: list[int] = []
        self._spaces: list[int] = []
        answer, descriptors = _ask_maker(self._templates, private_dir(runtime), executable)
        if answer[:1] == _CHANGED:
            raise changed(answer[1:].decode("utf-8", "surrogateescape"))
        if answer[:1] != _DONE:
            raise _no_namespace(answer[1:].decode() or "the namespace could not be made")
        at = int(answer[1:])
        self._spaces, self._files = descriptors[:at], descriptors[at:]
        if len(self._files) < len(self._templates):
            self.close()
            raise _no_namespace("too many files are open")
        self._copies = [_identity(os.fstat(descriptor)) for descriptor in self._files]
        if not self._lets_in():
            self.close()
            raise _no_namespace("this system makes one, and lets nobody in")

    def check_unchanged(self) -> None:
        """Raise UsageProblem when a file is no longer what was approved, or an equal one is in its place."""
        for template in self._templates:
            template.check_unchanged(same_file=True)

    def fill(self, at: int, content: SecretBytes) -> None:
        """Write the copy of the template `at`; from then on nobody can change it."""
        write_value(self._files[at], content)

    def end_writing(self) -> None:
        """Let nobody write the copies any more, us included: a program that somebody could write is not run (ETXTBSY)."""
        for descriptor in self._files:
            os.close(descriptor)
        self._files = []

    def enter(self) -> None:
        """In the task, before it runs its program: move into the namespace. Raises NotStarted."""
        try:
            folder = Path.cwd()  # by name: a descriptor would lead back to the folder outside
            root = _identity(Path("/").stat())
            for space in self._spaces:
                _call("setns", space, 0)
            os.chdir(folder)
            if _identity(Path("/").stat()) != root:  # a way out of a `chroot`
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        except OSError as error:
            reason = (error.strerror or "").lower()
            raise NotStarted(f"the namespace of --mount cannot be entered: {reason}", EXIT_DENIED) from None
        for template, copy in zip(self._templates, self._copies, strict=True):
            try:
                there = _identity(Path(template.real).lstat())
            except OSError:
                there = None
            if there != copy:  # another file was put there, which takes the mount off, or the way leads elsewhere
                raise NotStarted(f"{changed(template.typed).message}: nothing was started", EXIT_USAGE)

    def _lets_in(self) -> bool:
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                self.enter()
                os._exit(0)
            os._exit(1)
        return os.waitpid(pid, 0)[1] == 0

    def close(self) -> None:
        """Let go of the namespace: it is gone once the task has ended too."""
        for descriptor in (*self._files, *self._spaces):
            os.close(descriptor)
        self._files, self._spaces = [], []


def _ask_maker(templates: Sequence[Template], runtime: Path, executable: bool) -> tuple[bytes, list[int]]:
    """Let a process make the namespace; return what it says, and descriptors: the namespaces to enter, the copies."""
    if sys.platform != "linux":
        raise _no_namespace("only Linux has them")
    ours, theirs = socket.socketpair()
    launcher = os.getpid()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _make(theirs, templates, os.fsencode(runtime), launcher, executable)
    theirs.close()
    with ours:
        answer, descriptors, _, _ = socket.recv_fds(ours, 4096, 2 + len(templates))
    os.waitpid(pid, 0)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return answer, descriptors


def _make(
    answer: socket.socket, templates: Sequence[Template], runtime: bytes, launcher: int, executable: bool
) -> NoReturn:  # fmt: skip
    """In the maker: make the namespace, answer, and end. Never returns, never raises."""
    try:
        die_with_parent(launcher)
        kinds = _unshare()
        files = _mount(templates, runtime, _NO_RIGHTS & ~_MS_NOEXEC if executable else _NO_RIGHTS)
        spaces = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds]
        socket.send_fds(answer, [_DONE + b"%d" % len(spaces)], [*spaces, *files])
    except _Changed as problem:
        answer.send(_CHANGED + os.fsencode(problem.typed))
    except OSError as problem:
        answer.send(_REFUSED + _cause(problem).encode())
    finally:
        os._exit(0)


class _Changed(Exception):
    def __init__(self, typed: str) -> None:
        super().__init__(typed)
        self.typed = typed


def _unshare() -> list[str]:
    """Leave the namespaces of this process; return the kinds of those that are new, in the order to enter them."""
    with contextlib.suppress(OSError):
        _call("unshare", _CLONE_NEWNS)
        return ["mnt"]
    user, group = os.geteuid(), os.getegid()
    _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        os.write(descriptor, text.encode())
        os.close(descriptor)
    return ["user", "mnt"]


def _mount(templates: Sequence[Template], runtime: bytes, rights: int) -> list[int]:
    """Mount an empty copy over each file, and return their descriptors to write to. Raises OSError, _Changed."""
    # Ours are seen nowhere else; what others mount and unmount meanwhile (a disk that is taken out) counts here too.
    _call("mount", None, b"/", None, ctypes.c_ulong(_MS_REC | _MS_SLAVE), None)
    targets = [_target(template) for template in templates]
    _call("mount", b"locum", runtime, b"ramfs", ctypes.c_ulong(rights), b"mode=0700")
    files = [_copy(b"%s/%d" % (runtime, at), os.fstat(target)) for at, target in enumerate(targets)]
    # The files are written through the first mount, and seen through a second one that is read-only, and gives that on.
    _call("mount", runtime, runtime, None, ctypes.c_ulong(_MS_BIND), None)
    _call("mount", None, runtime, None, ctypes.c_ulong(_MS_BIND | _MS_REMOUNT | _MS_RDONLY | rights), None)
    for at, target in enumerate(targets):
        place = b"/proc/self/fd/%d" % target
        _call("mount", b"%s/%d" % (runtime, at), place, None, ctypes.c_ulong(_MS_BIND), None)
    for _ in range(2):
        _call("umount2", runtime, _MNT_DETACH)
    return files


def _target(template: Template) -> int:
    """Open the place of a file, if it still is the one that was read."""
    try:
        target = os.open(template.real, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise _Changed(template.typed) from None
    if _identity(os.fstat(target)) != template.identity:
        raise _Changed(template.typed)
    return target


def _copy(path: bytes, like: os.stat_result) -> int:
    """Make an empty file with the mode of another one, and its owner where that may be given."""
    made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    mode = like.st_mode & 0o777
    try:
        os.fchown(made, like.st_uid, like.st_gid)
    except OSError:
        with contextlib.suppress(OSError):
            os.fchown(made, like.st_uid, -1)
        mode |= stat.S_IRUSR  # it was read, so it may be read: by us, whose file it is then
    os.fchmod(made, mode)
    return made


def _identity(info: os.stat_result) -> tuple[int, int]:
    return info.st_dev, info.st_ino


def _call(name: str, *arguments: bytes | int | ctypes.c_ulong | None) -> None:
    """Call a function of the C library (Python 3.11 has none of these). Raises OSError."""
    if getattr(_libc(), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _cause(error: OSError) -> str:
    """Say why there is no namespace, as far as the system tells."""
    if error.errno in {errno.EPERM, errno.EACCES, errno.ENOSPC}:
        for switch, off, reason in _SWITCHES:
            with contextlib.suppress(OSError):
                if Path(switch).read_text().strip() == off:
                    return reason
    forbids = "the system, or the container that this runs in, forbids it" if error.errno == errno.EPERM else ""
    return forbids or (error.strerror or "it failed").lower()


def _no_namespace(reason: str) -> Unavailable:
    return Unavailable(
        "unavailable.mount", f"--mount needs a mount namespace of the task's own, and there is none: {reason}",
        "Use --render FILE where an argument or a variable can name the file.",
    )  # fmt: skip
