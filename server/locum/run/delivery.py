"""How a task gets its values: in variables, in files of memory, by descriptor, on standard input or through a pipe.

Made before a person is asked, so that nobody allows what this system cannot do; filled when the values are there; gone
with the task. What each way is worth against programs of the same user stands in SECURITY.md.

    env     $NAME is the value
    file    $NAME and $NAME_FILE are the path of a file in memory (0600, in a folder of the lease's own, on a tmpfs)
    fd      the same of sealed memory that the task inherits; $NAME_FD is its number
    stdin   the value is what the task reads from its standard input, which then ends
    fifo    the same as `file`, but a pipe that exists until it is opened once: the first reader gets the value, and
            there is no second one. No pipe says who reads it.
    proxy   $NAME is a placeholder; requests by HTTPS to the allowed hosts carry the value (`egress`)
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

from locum.broker.wire import Grant
from locum.errors import Unavailable, UsageProblem
from locum.paths import LEASE_PREFIX, Paths, memory_dir, private_dir, sweep_leases
from locum.run.children import die_with_parent
from locum.run.memory import seal, sealable_memory, write_value
from locum.secret import SecretBytes

OPENED_WITHIN = 5
"""Seconds in which who has opened a pipe must take the value."""


class Delivered(NamedTuple):
    """What the start of a task needs to know."""

    variables: Mapping[str, SecretBytes]
    stdin: int | None = None
    settings: Mapping[str, str] = {}
    """Variables of ours that steer the task's programs towards its values."""
    spelt: Sequence[tuple[str, SecretBytes]] = ()
    """More that is to be masked, each with what to write instead."""


class Delivery:
    """One task's way to its values; a context manager. Subclasses: one a channel."""

    def __init__(self, grants: Sequence[Grant], paths: Paths) -> None:
        """`grants`: those that go into variables."""
        self._grants = tuple(grants)
        self._names = tuple(grant.env for grant in grants)
        self._paths = paths
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        """Make what the values will go into. Raises LocumError where this system cannot."""
        try:
            self.prepare()
        except BaseException:
            self._undo.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def prepare(self) -> None:
        """Make what the values will go into."""

    def extra_names(self) -> tuple[str, ...]:
        """Return the variables that the task gets beside `$NAME`, to be checked before anybody is asked."""
        return ()

    def fill(self, values: Mapping[str, SecretBytes]) -> Delivered:
        """Hand the values over, by name. Raises LocumError."""
        return Delivered(dict(values))

    def in_child(self) -> None:
        """In the task's process, before its program runs."""

    def _path_variables(self, paths: Mapping[str, str]) -> dict[str, SecretBytes]:
        found = {name: SecretBytes(os.fsencode(path)) for name, path in paths.items()}
        return found | {f"{name}_FILE": SecretBytes(os.fsencode(path)) for name, path in paths.items()}


class _InFiles(Delivery):
    """`file`, and what `fifo` shares with it: a folder in memory that is gone with the lease."""

    def prepare(self) -> None:
        folder = memory_dir(self._paths)
        if folder is None:
            raise Unavailable(
                "unavailable.memory", "there is no folder in memory here for the values (tmpfs)",
                "Use --channel fd or --channel env.",
            )  # fmt: skip
        sweep_leases(folder)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{LEASE_PREFIX}{os.getpid()}-", dir=private_dir(folder)))
        self._undo.callback(shutil.rmtree, self.folder, ignore_errors=True)

    def extra_names(self) -> tuple[str, ...]:
        return tuple(f"{name}_FILE" for name in self._names)

    def fill(self, values: Mapping[str, SecretBytes]) -> Delivered:
        paths: dict[str, str] = {}
        for name, value in values.items():
            place = self.folder / name
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                write_value(descriptor, value)
            finally:
                os.close(descriptor)
            paths[name] = os.fspath(place)
        return Delivered(self._path_variables(paths))


class _InDescriptors(Delivery):
    """`fd`: sealed memory, inherited."""

    def prepare(self) -> None:
        self._memory: dict[str, int] = {}
        for name in self._names:
            self._memory[name] = sealable_memory()
            self._undo.callback(os.close, self._memory[name])

    def extra_names(self) -> tuple[str, ...]:
        return tuple(f"{name}_{end}" for name in self._names for end in ("FILE", "FD"))

    def fill(self, values: Mapping[str, SecretBytes]) -> Delivered:
        for name, value in values.items():
            write_value(self._memory[name], value)
            seal(self._memory[name])
        paths = {name: f"/dev/fd/{self._memory[name]}" for name in values}
        numbers = {f"{name}_FD": SecretBytes(b"%d" % self._memory[name]) for name in values}
        return Delivered(self._path_variables(paths) | numbers)

    def in_child(self) -> None:
        for descriptor in self._memory.values():
            os.set_inheritable(descriptor, True)


class _OnStdin(Delivery):
    """`stdin`: sealed memory as the task's standard input. It ends after the value, and there is no keyboard."""

    def prepare(self) -> None:
        if len(self._names) != 1:
            raise UsageProblem(
                "run.stdin", f"standard input takes one secret, and this task has {len(self._names)}",
                "Use --channel env, file or fd.",
            )  # fmt: skip
        self._memory = sealable_memory()
        self._undo.callback(os.close, self._memory)

    def fill(self, values: Mapping[str, SecretBytes]) -> Delivered:
        (value,) = values.values()
        write_value(self._memory, value)
        seal(self._memory)
        reading = os.open(f"/proc/self/fd/{self._memory}", os.O_RDONLY | os.O_CLOEXEC)
        self._undo.callback(os.close, reading)
        return Delivered({}, reading)


class _ThroughPipes(_InFiles):
    """`fifo`: one process a pipe, which waits for a reader, takes the pipe away and gives the value."""

    def fill(self, values: Mapping[str, SecretBytes]) -> Delivered:
        paths: dict[str, str] = {}
        launcher = os.getpid()
        for name, value in values.items():
            place = self.folder / name
            os.mkfifo(place, 0o600)
            pid = os.fork()
            if pid == 0:
                with contextlib.suppress(BaseException):
                    _give_once(place, value, launcher)
                os._exit(0)
            self._undo.callback(_end, pid)
            paths[name] = os.fspath(place)
        return Delivered(self._path_variables(paths))


class _ThroughProxy(Delivery):
    """`proxy`: the task gets placeholders; a process of ours puts the values into requests to the allowed hosts."""

    def prepare(self) -> None:
        from locum.run.egress.rules import parse_place

        self._places = {grant.env: [parse_place(host) for host in grant.hosts] for grant in self._grants}
        runtime = private_dir(self._paths.runtime)
        self._folder = Path(tempfile.mkdtemp(prefix=f"proxy-{os.getpid()}-", dir=runtime))
        self._undo.callback(shutil.rmtree, self._folder, ignore_errors=True)

    def fill(self, values: Mapping[str, SecretBytes]) -> Delivered:
        from locum.run.egress.process import Egress
        from locum.run.egress.rules import Carried

        carried = {
            grant.env: Carried(grant.reference, values[grant.env], self._places[grant.env]) for grant in self._grants
        }
        egress = Egress(list(carried.values()), self._folder)
        self._undo.callback(egress.close)
        placeholders = {name: SecretBytes(item.placeholder) for name, item in carried.items()}
        spelt = [(item.reference, SecretBytes(item.placeholder)) for item in carried.values()]
        return Delivered(placeholders, None, egress.variables, spelt)


_CHANNELS: dict[str, Callable[[Sequence[Grant], Paths], Delivery]] = {
    "env": Delivery,
    "file": _InFiles,
    "fd": _InDescriptors,
    "stdin": _OnStdin,
    "fifo": _ThroughPipes,
    "proxy": _ThroughProxy,
}


def delivery(channel: str, grants: Sequence[Grant], paths: Paths) -> Delivery:
    """Return the way of a channel; `grants`: those that go into variables."""
    return _CHANNELS[channel](grants, paths) if grants else Delivery(grants, paths)


def _give_once(place: Path, value: SecretBytes, launcher: int) -> None:
    """Wait for a reader, remove the pipe's name so that there is no second one, write, and end."""
    import signal

    die_with_parent(launcher)
    os.setsid()
    writing = os.open(place, os.O_WRONLY | os.O_CLOEXEC)
    place.unlink()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(OPENED_WITHIN)
    write_value(writing, value)


def _end(pid: int) -> None:
    import signal

    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
