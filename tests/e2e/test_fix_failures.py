"""What may break while `locum fix --all` works: files, vault and manifest are as before, and one message says why."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.home import Home
from support.tokens import github_token

Breakage = Callable[["Scene"], contextlib.AbstractContextManager[None]]


class Scene:
    """A project of three files with three secrets, one of them in two files."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.tokens = [github_token() for _ in range(3)]
        (home.project / ".git").mkdir()
        (home.project / "sub").mkdir()
        first, second, third = self.tokens
        self.write("a.py", f'A = "{first}"\n')
        self.write("b.js", f'const a = "{first}";\nconst b = "{second}";\n')
        self.write("sub/c.env", f"C={third}\n")

    def write(self, name: str, text: str) -> None:
        (self.home.project / name).write_text(text)

    def tree(self) -> dict[str, bytes | str]:
        """Return all that lies in the project: bytes of files, what links lead to, what else is there."""
        found: dict[str, bytes | str] = {}
        for path in self.home.project.rglob("*"):
            name = path.relative_to(self.home.project).as_posix()
            found[name] = (
                str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
            )
        return found

    def names(self) -> list[str]:
        return [item["name"] for item in self.home.json("secret", "list")["secrets"]]

    def fix(self) -> subprocess.CompletedProcess[str]:
        done = self.home.run("fix", "--all", check=None)
        said = done.stdout + done.stderr
        assert "Traceback" not in said
        assert [token for token in self.tokens if token in said] == []
        return done

    def broker(self) -> int:
        self.home.run("broker", "start")
        return self.home.json("broker", "status")["pid"]


@pytest.fixture
def scene(vault_home: Home) -> Scene:
    return Scene(vault_home)


@contextlib.contextmanager
def full_disk(scene: Scene):
    """The vault's file may not grow, from the first value on."""
    with _limited(scene, 64):
        yield


@contextlib.contextmanager
def full_disk_at_the_last(scene: Scene):
    """The vault's file takes one value, and not all."""
    scene.home.store("SPARE", "a value that stays")
    scene.home.run("secret", "list")
    size = (next(scene.home.path.rglob("vault.locum"))).stat().st_size
    with _limited(scene, size + 400):
        yield


@contextlib.contextmanager
def _limited(scene: Scene, most: int):
    pid = scene.broker()
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def killed_broker(scene: Scene):
    """The broker dies before it has answered."""
    pid = scene.broker()
    os.kill(pid, signal.SIGSTOP)
    killing = threading.Timer(2, lambda: os.kill(pid, signal.SIGKILL))
    killing.start()
    try:
        yield
    finally:
        killing.join()


@contextlib.contextmanager
def broken_manifest(scene: Scene):
    """`locum.toml` is no manifest."""
    scene.write("locum.toml", "[secret.X]\n")
    yield
    (scene.home.project / "locum.toml").unlink()


@contextlib.contextmanager
def manifest_is_a_link(scene: Scene):
    """`locum.toml` leads out of the project, to a file that is not ours to write."""
    outside = scene.home.path.parent / "outside.toml"
    outside.write_text("# somebody's\n")
    (scene.home.project / "locum.toml").symlink_to(outside)
    yield
    assert outside.read_text() == "# somebody's\n"
    (scene.home.project / "locum.toml").unlink()


@contextlib.contextmanager
def manifest_is_a_folder(scene: Scene):
    """`locum.toml` can be neither read nor written."""
    (scene.home.project / "locum.toml").mkdir()
    yield
    (scene.home.project / "locum.toml").rmdir()


BREAKAGES: list[Breakage] = [
    full_disk, full_disk_at_the_last, killed_broker, broken_manifest, manifest_is_a_link, manifest_is_a_folder,
]  # fmt: skip


@pytest.mark.parametrize("broken", BREAKAGES, ids=lambda broken: broken.__name__)
def test_all_is_as_before_and_it_says_why(scene: Scene, broken: Breakage) -> None:
    with broken(scene):
        before, names = scene.tree(), [name for name in ("SPARE",) if broken is full_disk_at_the_last]
        done = scene.fix()
        assert done.returncode not in {0, -signal.SIGKILL}
        assert scene.tree() == before
        assert len((done.stderr or done.stdout).strip().splitlines()) >= 1
    assert scene.names() == names
    assert scene.fix().returncode == 0, "nothing stands in the way of trying again"
    assert len(scene.names()) == 3 + len(names)
    assert [name for name, data in scene.tree().items() if any(token.encode() in (data if isinstance(data, bytes) else b"") for token in scene.tokens)] == []  # fmt: skip


def test_a_locked_vault(home: Home) -> None:
    word = github_token()
    _with_passphrase(home, word, "vault", "init", "--passphrase")
    home.run("vault", "lock")
    scene = Scene(home)
    before = scene.tree()
    done = scene.fix()
    assert done.returncode == 3
    assert "LOCUM_PASSPHRASE_FD" in done.stderr
    assert scene.tree() == before
    _with_passphrase(home, word, "secret", "list")
    assert scene.names() == []


def test_without_a_vault(home: Home) -> None:
    home.env.pop("DBUS_SESSION_BUS_ADDRESS", None)
    scene = Scene(home)
    before = scene.tree()
    done = scene.fix()
    assert done.returncode in {2, 3}
    assert "locum vault init" in done.stderr
    assert scene.tree() == before


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "file", "nothing"])
def test_a_file_that_is_replaced_while_the_values_are_stored(scene: Scene, kind: str) -> None:
    """It is left to who put something else there; the others are fixed; a value that none uses is not kept."""
    pid = scene.broker()
    path, outside = scene.home.project / "sub/c.env", scene.home.path.parent / "outside.env"
    outside.write_text(path.read_text())
    before = outside.read_bytes()
    os.kill(pid, signal.SIGSTOP)  # after the scan, before the first value is stored
    answers: list[subprocess.CompletedProcess[str]] = []
    fixing = threading.Thread(target=lambda: answers.append(scene.fix()))
    fixing.start()
    time.sleep(1.5)
    path.unlink()
    match kind:
        case "link":
            path.symlink_to(outside)
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "file":
            path.write_text("D=other\n")
        case _:
            pass
    os.kill(pid, signal.SIGCONT)
    fixing.join(60)
    (done,) = answers
    assert done.returncode == 1
    assert "c.env" in done.stdout
    assert outside.read_bytes() == before
    assert scene.tokens[0] not in (scene.home.project / "a.py").read_text()
    assert len(scene.names()) == 2
    assert "locum.toml" in scene.tree()
    assert kind != "file" or path.read_text() == "D=other\n"
    assert kind != "link" or path.is_symlink()
    declared = (scene.home.project / "locum.toml").read_text()
    assert sorted(scene.names()) == sorted(line[9:-1] for line in declared.splitlines() if line.startswith("[secrets."))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a small file system")
def test_no_room_for_a_file(scene: Scene) -> None:
    """The file system of one folder is full: that file stays as it is, whole, and its value is not kept."""
    folder = scene.home.project / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)], capture_output=True, check=False)  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip("a file system cannot be mounted here")
    try:
        token = github_token()
        text = f'D = "{token}"\n'
        (folder / "d.py").write_text(text)
        with contextlib.suppress(OSError):
            (folder / "filler").write_bytes(b"x" * 4096 * 8)
        done = scene.fix()
        assert done.returncode == 1
        assert "d.py" in done.stdout
        assert (folder / "d.py").read_text() == text
        assert {path.name for path in folder.iterdir()} == {"d.py", "filler"}
        assert len(scene.names()) == 3
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_command_that_is_killed_leaves_whole_files(vault_home: Home) -> None:
    """Killed at any moment: each file is as before or fixed, and what fixed files need is in the vault."""
    scene = Scene(vault_home)
    texts = {f"f{number}.py": f'T{number} = "{github_token()}"\n' for number in range(12)}
    for name, text in texts.items():
        scene.write(name, text)
    seen: set[str] = set()
    for delay in (0.35, 0.5, 0.6, 0.7, 0.8, 1.0):
        process = subprocess.Popen(
            vault_home.command("fix", "--all"), env=vault_home.env, cwd=vault_home.project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(delay)
        process.kill()
        process.wait()
        names = scene.names()
        for name, text in texts.items():
            now = (vault_home.project / name).read_text()
            if now != text:
                seen.add("fixed")
                assert now.count("os.environ[") == 1
                assert any(f'"{known}"' in now for known in names)
            else:
                seen.add("as before")
    assert scene.fix().returncode == 0
    left = [path for path in vault_home.project.rglob("*") if path.is_file() and ".locum-" in path.name]
    assert left == [], "a temporary file with a value stays"


def _with_passphrase(home: Home, word: str, *arguments: str) -> None:
    read, write = os.pipe()
    os.write(write, word.encode() + b"\n")
    os.close(write)
    subprocess.run(
        home.command(*arguments), env=home.env | {"LOCUM_PASSPHRASE_FD": str(read)}, pass_fds=[read], check=True, capture_output=True,
        cwd=home.project, start_new_session=True, timeout=60,
    )  # fmt: skip
    os.close(read)


def manifest(project: Path) -> str:
    return (project / "locum.toml").read_text()
