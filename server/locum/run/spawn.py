"""Start one program: find it, fork, and exec with exactly the descriptors, session and environment it is to have.

Knows processes; knows nothing of masks. Argument list and environment go straight to `execve` as bytes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import termios
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn

from locum.run.children import die_with_parent

NOT_FOUND, NOT_EXECUTABLE = 127, 126  # what shells return
_DEFAULT_PATH = b"/usr/local/bin:/usr/bin:/bin"


class NotStarted(Exception):
    """The program could not be started. The text says why; `exit_code` is what a shell would return."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Placement(NamedTuple):
    """Where a program stands: its three descriptors, whether it leads a session, and that session's terminal."""

    stdin: int
    stdout: int
    stderr: int
    own_session: bool
    terminal: int | None


def find_program(name: str, path: bytes | None) -> bytes:
    """Return the file that `name` stands for, looked up in `path` as `execvp` does. Raises `NotStarted`."""
    wanted = os.fsencode(name)
    if b"/" in wanted:
        places = [wanted]
    else:
        places = [os.path.join(folder or b".", wanted) for folder in (path or _DEFAULT_PATH).split(b":")]  # noqa: PTH118 - bytes
    found: bytes | None = None
    for place in places if wanted else ():
        try:
            mode = os.stat(place).st_mode  # noqa: PTH116 - bytes
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(mode) and os.access(place, os.X_OK):
            return place
        found = found or place
    if found is None:
        raise NotStarted(f"{_shown(name)}: command not found", NOT_FOUND)
    reason = "is a directory" if os.path.isdir(found) else "permission denied"  # noqa: PTH112 - bytes
    raise NotStarted(f"{_shown(name)}: {reason}", NOT_EXECUTABLE)


def _shown(name: str) -> str:
    """Return a program's name for a terminal: it may come from a workspace, and steer the screen."""
    return name if name.isprintable() else ascii(name)


def spawn(
    program: bytes,
    argv: Sequence[str],
    environment: Mapping[bytes, bytes],
    placement: Placement,
    in_child: Callable[[], None] | None = None,
    beside: Callable[[int], None] | None = None,
) -> int:
    """Start the program and return its process id once it runs. Raises `NotStarted` when `execve` refuses.

    `in_child` is called in the new process, before the program takes its place; it may raise `NotStarted` too.
    `beside` is called there before, once the terminal is its own; it is given the descriptor that tells us of the start.
    """
    arguments = [os.fsencode(argument) for argument in argv]
    reading, writing = os.pipe()  # both close on exec: the end of the file means that it runs
    launcher = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(program, arguments, environment, placement, launcher, writing, in_child, beside)
    os.close(writing)
    with open(reading, "rb") as report:  # noqa: PTH123 - a descriptor
        refusal = report.read()
    if refusal:
        os.waitpid(pid, 0)
        code, _, reason = refusal.partition(b" ")
        number = int(code)
        if reason:
            raise NotStarted(reason.decode("utf-8", "surrogateescape"), number)
        exit_code = NOT_FOUND if number == errno.ENOENT else NOT_EXECUTABLE
        raise NotStarted(f"{_shown(argv[0])}: {os.strerror(number).lower()}", exit_code)
    return pid


def _become(
    program: bytes,
    arguments: list[bytes],
    environment: Mapping[bytes, bytes],
    placement: Placement,
    launcher: int,
    report: int,
    in_child: Callable[[], None] | None,
    beside: Callable[[int], None] | None,
) -> NoReturn:
    """In the child: take the place and run the program. Never returns, never raises."""
    try:
        signal.set_wakeup_fd(-1)
        if placement.own_session:
            os.setsid()
        die_with_parent(launcher)
        if placement.terminal is not None:
            fcntl.ioctl(placement.terminal, termios.TIOCSCTTY, 0)
        if beside is not None:
            beside(report)
        _place_descriptors(placement)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and an ignored signal survives exec
            signal.signal(number, signal.SIG_DFL)
        if in_child is not None:
            in_child()
        _execute(program, arguments, environment)
    except NotStarted as problem:
        os.write(report, b"%d %s" % (problem.exit_code, os.fsencode(str(problem))))
    except OSError as problem:
        os.write(report, b"%d" % (problem.errno or errno.EINVAL))
    except BaseException:  # noqa: BLE001 - the copy of the launcher must not go on as a launcher
        os.write(report, b"%d" % errno.EINVAL)
    finally:
        os._exit(NOT_EXECUTABLE)


def _place_descriptors(placement: Placement) -> None:
    # Copies above 2 first: one of the three may sit where another has to go.
    copies = [fcntl.fcntl(place, fcntl.F_DUPFD_CLOEXEC, 3) for place in placement[:3]]
    for target, copy in enumerate(copies):
        os.dup2(copy, target)


def _execute(program: bytes, arguments: list[bytes], environment: Mapping[bytes, bytes]) -> None:
    try:
        os.execve(program, arguments, environment)
    except OSError as problem:
        if problem.errno != errno.ENOEXEC or not _is_text(program):
            raise
        os.execve(b"/bin/sh", [b"sh", program, *arguments[1:]], environment)  # a script without `#!`


def _is_text(program: bytes) -> bool:
    """Say whether a file may be a script: shells, too, take a NUL near its beginning for a binary of another machine."""
    with open(program, "rb") as file:  # noqa: PTH123 - bytes
        return b"\0" not in file.read(128)
