"""A program by its name, and this process becoming it.

Standard library's cheapest parts only: a task that needs no secret pays for nothing else.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Mapping, Sequence
from typing import NoReturn

NOT_FOUND, NOT_EXECUTABLE = 127, 126  # what shells return
_DEFAULT_PATH = b"/usr/local/bin:/usr/bin:/bin"


class NotStarted(Exception):
    """The program could not be started. The text says why; `exit_code` is what a shell would return."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


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
        raise NotStarted(f"{shown(name)}: command not found", NOT_FOUND)
    reason = "is a directory" if os.path.isdir(found) else "permission denied"  # noqa: PTH112 - bytes
    raise NotStarted(f"{shown(name)}: {reason}", NOT_EXECUTABLE)


def shown(name: str) -> str:
    """Return a program's name for a terminal: it may come from a workspace, and steer the screen."""
    return name if name.isprintable() else ascii(name)


def become(argv: Sequence[str], environment: Mapping[bytes, bytes]) -> NoReturn:
    """Let a program take the place of this process, as if it had been started without us. Raises `NotStarted`."""
    program = find_program(argv[0] if argv else "", environment.get(b"PATH"))
    take_default_signals()
    try:
        execute(program, [os.fsencode(argument) for argument in argv], environment)
    except OSError as problem:
        code = NOT_FOUND if problem.errno == errno.ENOENT else NOT_EXECUTABLE
        raise NotStarted(f"{shown(argv[0])}: {os.strerror(problem.errno or errno.EINVAL).lower()}", code) from None


def take_default_signals() -> None:
    """Take back what Python has changed: it ignores these, and an ignored signal survives exec."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def execute(program: bytes, arguments: list[bytes], environment: Mapping[bytes, bytes]) -> NoReturn:
    """Let the program take the place of this process. Raises OSError when it cannot."""
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
