"""Somebody replaces the file while it is written, 20,000 times: no link is written through, nothing is lost, nothing is half there."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from locum.workspace.safe_write import NotWritten, replace_bytes
from support.home import ROOT

TRIES = 20_000
"""Against a link; against everything else that may take the file's name, so many together."""
BEFORE, AFTER, OTHER, VICTIM = b"before " * 40, b"after " * 50, b"other " * 60, b"victim " * 30
NAME = "app.py"

Racer = Callable[["Scene"], None]


class Scene:
    """A project, and beside it what must never be touched."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root, self.outside, self.spare = base / "root", base / "outside", base / "spare"
        for folder in (self.root, self.outside, self.spare):
            folder.mkdir()
        self.folder = self.root / "sub"
        self.folder.mkdir()
        self.path = self.folder / NAME
        self.victim = self.outside / NAME
        self.placed: tuple[int, int] | None = None
        """The file that the racer put there, when it did."""

    def reset(self) -> None:
        """Make all as at first."""
        if self.folder.is_symlink():
            self.folder.unlink()
            (self.spare / "sub").rename(self.folder)
        for path in (*self.folder.iterdir(), *self.spare.iterdir()):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        self.path.write_bytes(BEFORE)
        self.placed = None

    def put(self, made: Path, *, over: bool = True) -> None:
        """Let what was made beside take the file's name."""
        identity = _identity(made)
        if not over:
            self.path.rename(self.spare / "aside")
        with contextlib.suppress(NotADirectoryError, IsADirectoryError):
            made.rename(self.path)
            self.placed = identity


def _identity(path: Path) -> tuple[int, int]:
    info = path.lstat()
    return info.st_dev, info.st_ino


def by_a_link(scene: Scene) -> None:
    """A symbolic link to a file that holds the very same bytes, where it may."""
    (scene.spare / "link").symlink_to(scene.victim)
    scene.put(scene.spare / "link")


def by_another_file(scene: Scene) -> None:
    """As an editor saves: a new file with the old one's name."""
    (scene.spare / "other").write_bytes(OTHER)
    scene.put(scene.spare / "other")


def by_a_pipe(scene: Scene) -> None:
    """A named pipe, on which a reader would wait for ever."""
    os.mkfifo(scene.spare / "pipe")
    scene.put(scene.spare / "pipe")


def by_a_folder(scene: Scene) -> None:
    """A folder, after the file was moved away."""
    (scene.spare / "folder").mkdir()
    scene.put(scene.spare / "folder", over=False)


def by_nothing(scene: Scene) -> None:
    """The file is moved away."""
    scene.path.rename(scene.spare / "aside")


def its_folder_by_a_link(scene: Scene) -> None:
    """The folder above it becomes a link to another, in which lies a file with the same name and bytes."""
    scene.folder.rename(scene.spare / "sub")
    scene.folder.symlink_to(scene.outside)


RACERS: list[Racer] = [by_a_link, by_another_file, by_a_pipe, by_a_folder, by_nothing, its_folder_by_a_link]
DELAYS = (0.15, 1.2, 4.0)
"""In which part of a write the racer strikes, of the time that one takes: its beginning, all of it, or behind it as well."""


@pytest.fixture
def base() -> Iterator[Path]:
    """Give a folder in memory, where there is one: the tries are about names, not about disks."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="locum-race-") as folder:
        yield Path(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="the exchange of names is measured on Linux")
@pytest.mark.parametrize("racer", RACERS, ids=lambda racer: racer.__name__)
def test_whatever_takes_its_name_meanwhile(racer: Racer, base: Path) -> None:
    scene = Scene(base)
    scene.victim.write_bytes(BEFORE)  # the same bytes: only the link tells it from the file that is meant
    outcomes = Counter[str]()
    source = random.Random(racer.__name__)
    lasts = _duration(scene)
    start, done = threading.Barrier(2), threading.Barrier(2)
    delay = 0.0
    failed: list[BaseException] = []
    tries = TRIES if racer is by_a_link else TRIES // (len(RACERS) - 1)

    def race() -> None:
        for _ in range(tries):
            start.wait(60)
            try:
                end = time.perf_counter() + delay
                while time.perf_counter() < end:
                    os.fstat(0)  # gives way: the two threads share one interpreter
                racer(scene)
            except BaseException as error:
                failed.append(error)
            done.wait(60)

    racing = threading.Thread(target=race, daemon=True)
    racing.start()
    for _ in range(tries):
        scene.reset()
        delay = source.random() * lasts * source.choice(DELAYS)
        start.wait(60)
        outcome = "written"
        try:
            replace_bytes(scene.root, scene.path, BEFORE, AFTER)
        except NotWritten as error:
            outcome = error.code
        done.wait(60)
        assert not failed, failed
        _check(scene, racer, outcome)
        outcomes[outcome] += 1
    racing.join(60)
    assert outcomes.total() == tries
    assert outcomes["written"], outcomes
    assert outcomes.total() - outcomes["written"], outcomes


def _duration(scene: Scene) -> float:
    """Return how long one undisturbed write takes, in seconds."""
    took: list[float] = []
    for _ in range(50):
        scene.reset()
        started = time.perf_counter()
        replace_bytes(scene.root, scene.path, BEFORE, AFTER)
        took.append(time.perf_counter() - started)
        assert scene.path.read_bytes() == AFTER
    return sorted(took)[len(took) // 2]


def _check(scene: Scene, racer: Racer, outcome: str) -> None:
    assert scene.victim.read_bytes() == BEFORE, "written through a link"
    assert [path.name for path in scene.outside.iterdir()] == [NAME]
    real = scene.spare / "sub" if racer is its_folder_by_a_link else scene.folder
    left = {path.name for path in real.iterdir()}
    assert left <= {NAME}, "something is left behind"
    moved = scene.spare / "aside"
    if racer is its_folder_by_a_link:
        assert (real / NAME).read_bytes() == (AFTER if outcome == "written" else BEFORE)
    elif moved.exists():
        assert moved.read_bytes() in {BEFORE, AFTER}, "half a file"
        assert outcome == "written" or moved.read_bytes() == BEFORE
    elif outcome == "written":
        assert scene.placed is None or _identity(scene.path) == scene.placed
    if scene.placed is not None:
        assert _identity(scene.path) == scene.placed, "what somebody put there is lost"
        if stat.S_ISREG(scene.path.lstat().st_mode):
            assert scene.path.read_bytes() == OTHER
    elif not moved.exists() and racer is not its_folder_by_a_link:
        assert scene.path.read_bytes() == (AFTER if outcome == "written" else BEFORE)


def test_a_pipe_and_a_folder_and_a_link_are_refused(base: Path) -> None:
    """Without a race as well."""
    scene = Scene(base)
    scene.victim.write_bytes(BEFORE)
    for racer in RACERS:
        scene.reset()
        racer(scene)
        with pytest.raises(NotWritten) as caught:
            replace_bytes(scene.root, scene.path, BEFORE, AFTER)
        assert "before" not in caught.value.explain()
        _check(scene, racer, caught.value.code)


KILLED = """
import os, signal, sys
sys.path.insert(0, {server!r})
from pathlib import Path
from locum.workspace import safe_write
root, step = Path(sys.argv[1]), int(sys.argv[2])
count = 0
def dying(function, half=False):
    def inner(*args, **kwargs):
        global count
        count += 1
        if count == step:
            if half: function(args[0], args[1][:len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return inner
for name in ("open", "fsync", "replace", "rename", "unlink", "close", "write", "fchmod", "stat", "fstat"):
    setattr(os, name, dying(getattr(os, name), name == "write"))
safe_write._exchange = dying(safe_write._exchange)
safe_write.replace_bytes(root, root / "sub" / "app.py", {before!r}, {after!r})
"""


def test_killed_at_any_step_it_is_the_old_or_the_new(tmp_path: Path) -> None:
    """A process that writes is killed before each system call; what it may leave beside the file is whole, too."""
    script = KILLED.format(server=str(ROOT / "server"), before=BEFORE, after=AFTER)
    seen: set[bytes] = set()
    for step in range(1, 60):
        root = tmp_path / str(step)
        (root / "sub").mkdir(parents=True)
        (root / "sub" / NAME).write_bytes(BEFORE)
        done = subprocess.run([sys.executable, "-c", script, str(root), str(step)], capture_output=True, text=True, check=False)  # fmt: skip
        data = (root / "sub" / NAME).read_bytes()
        assert data in {BEFORE, AFTER}
        seen.add(data)
        if done.returncode == 0:
            assert [path.name for path in (root / "sub").iterdir()] == [NAME]
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    else:
        pytest.fail("the write never finished")
    assert seen == {BEFORE, AFTER}
