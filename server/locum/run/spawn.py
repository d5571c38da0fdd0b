"""Start one program: fork, and exec with exactly the descriptors, session and environment it is to have.

Knows processes; knows nothing of masks. Argument list and environment go straight to `execve` as bytes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import termios
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn

from locum.run.children import die_with_parent
from locum.run.program import NOT_EXECUTABLE, NOT_FOUND, NotStarted, execute, shown, take_default_signals


class Placement(NamedTuple):
    """Where a program stands: its three descriptors, whether it leads a session, and that session's terminal."""

    stdin: int
    stdout: int
    stderr: int
    own_session: bool
    terminal: int | None


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
        raise NotStarted(f"{shown(argv[0])}: {os.strerror(number).lower()}", exit_code)
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
        take_default_signals()
        if in_child is not None:
            in_child()
        execute(program, arguments, environment)
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
