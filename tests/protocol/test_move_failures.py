"""What may break while values move into the vault, in the editor: then text, vault and manifest are as before, and one message says why."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.home import Home
from support.lsp import PULL, Client, Json
from support.tokens import github_token

Breakage = Callable[["Scene"], contextlib.AbstractContextManager[None]]
Way = Callable[["Scene"], Json]


class Scene:
    """An open document with two secrets, a file that nobody has open with a third, and an editor that the tests can break."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.client = Client(home, PULL)
        self.client.answers["window/showMessageRequest"] = lambda params: params["actions"][0]
        self.tokens = [github_token(), github_token(), github_token()]
        self.text = f'A = "{self.tokens[0]}"\nB = "{self.tokens[1]}"\n'
        self.closed = home.project / "closed.js"
        self.closed_text = f'const c = "{self.tokens[2]}";\n'
        (home.project / "app.py").write_text(self.text)
        self.closed.write_text(self.closed_text)
        self.uri = self.client.open("app.py", self.text)
        self.diagnostics = self.client.diagnostics(self.uri)

    def command(self, name: str, arguments: Json) -> Json:
        return self.client.request("workspace/executeCommand", {"command": name, "arguments": [arguments]}, timeout=60)

    def messages(self) -> list[str]:
        return [note["params"]["message"] for note in self.client.notes if note["method"] == "window/showMessage"]

    def names(self) -> list[str]:
        return [item["name"] for item in self.home.json("secret", "list")["secrets"]]

    def manifest(self) -> str | None:
        path = self.home.project / "locum.toml"
        return path.read_text() if path.is_file() else None

    def broker(self) -> int:
        self.home.run("broker", "start")
        return self.home.json("broker", "status")["pid"]


@pytest.fixture
def scene(vault_home: Home) -> Iterator[Scene]:
    made = Scene(vault_home)
    yield made
    made.client.close()


def one(scene: Scene) -> Json:
    """Move the first finding, as its quick fix does."""
    return scene.client.fix(scene.uri, scene.diagnostics[0])


def whole_file(scene: Scene) -> Json:
    """Move all of the file's."""
    return scene.command("locum.moveAllToVault", {"uri": scene.uri, "version": scene.client.versions[scene.uri]})


def workspace(scene: Scene) -> Json:
    """Move everything."""
    return scene.command("locum.moveAllToVault", {"scope": "workspace"})


WAYS: dict[Way, int] = {one: 1, whole_file: 2, workspace: 3}
"""And how many values each of them moves."""


@contextlib.contextmanager
def full_disk(scene: Scene) -> Iterator[None]:
    """The broker's files may not grow: the kernel itself ends each write."""
    pid = scene.broker()
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def killed_broker(scene: Scene) -> Iterator[None]:
    """The broker takes the value, and dies before it has answered."""
    pid = scene.broker()
    os.kill(pid, signal.SIGSTOP)
    killing = threading.Timer(1.5, lambda: os.kill(pid, signal.SIGKILL))
    killing.start()
    try:
        yield
    finally:
        killing.join()


@contextlib.contextmanager
def broken_manifest(scene: Scene) -> Iterator[None]:
    """`locum.toml` is no manifest."""
    path = scene.home.project / "locum.toml"
    path.write_text("[secret.X]\n")
    yield
    assert path.read_text() == "[secret.X]\n"
    path.unlink()


@contextlib.contextmanager
def manifest_is_a_folder(scene: Scene) -> Iterator[None]:
    """`locum.toml` can be neither read nor written."""
    path = scene.home.project / "locum.toml"
    path.mkdir()
    yield
    path.rmdir()


@contextlib.contextmanager
def editor_refuses(scene: Scene) -> Iterator[None]:
    """The editor does not apply the edit."""
    scene.client.answers["workspace/applyEdit"] = lambda _: {"applied": False, "failureReason": "no"}
    yield
    scene.client.answers["workspace/applyEdit"] = scene.client.apply


@contextlib.contextmanager
def editor_fails(scene: Scene) -> Iterator[None]:
    """The editor answers with an error."""
    scene.client.fails.add("workspace/applyEdit")
    yield
    scene.client.fails.clear()


@contextlib.contextmanager
def killed_while_editing(scene: Scene) -> Iterator[None]:
    """The editor refuses, and the broker that shall take the value out again is gone (another is started)."""
    pid = scene.broker()

    def refuse(_: Any) -> Json:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return {"applied": False}

    scene.client.answers["workspace/applyEdit"] = refuse
    yield
    scene.client.answers["workspace/applyEdit"] = scene.client.apply


BREAKAGES: list[Breakage] = [
    full_disk, killed_broker, broken_manifest, manifest_is_a_folder, editor_refuses, editor_fails,
]  # fmt: skip


# The others of one finding are in `test_moves.py`.
CASES = (
    [(broken, workspace) for broken in BREAKAGES]
    + [(broken, one) for broken in BREAKAGES[:2]]
    + [(full_disk, whole_file)]
)


@pytest.mark.parametrize(("broken", "way"), CASES, ids=lambda part: part.__name__)
def test_all_is_as_before_and_one_message_says_why(scene: Scene, broken: Breakage, way: Way) -> None:
    with broken(scene):
        result = way(scene)
        assert result["applied"] is False
        assert scene.client.texts[scene.uri].text == scene.text
        assert (scene.home.project / "app.py").read_text() == scene.text
        assert scene.closed.read_text() == scene.closed_text
        (message,) = scene.messages()
        assert len(message) > 40, "it says what to do"
    assert scene.names() == []
    assert scene.manifest() is None
    assert {path.name for path in scene.home.project.iterdir()} == {"app.py", "closed.js"}
    assert [token for token in scene.tokens if token.encode() in scene.client.received + scene.client.errors] == []
    scene.diagnostics = scene.client.diagnostics(scene.uri)
    assert way(scene)["applied"] is True, "nothing stands in the way of trying again"
    assert len(scene.names()) == WAYS[way]


@pytest.mark.parametrize("way", [one, workspace], ids=lambda way: way.__name__)
def test_a_locked_vault(home: Home, way: Way) -> None:
    word = github_token()
    _with_passphrase(home, word, "vault", "init", "--passphrase")
    home.run("vault", "lock")
    scene = Scene(home)
    result = way(scene)
    assert result["applied"] is False
    assert scene.client.texts[scene.uri].text == scene.text
    (message,) = scene.messages()
    assert "locum vault unlock" in message
    _with_passphrase(home, word, "secret", "list")
    assert scene.names() == []
    assert scene.manifest() is None
    assert way(scene)["applied"] is True
    scene.client.close()


@pytest.mark.parametrize("way", [one, workspace], ids=lambda way: way.__name__)
def test_a_broker_that_dies_while_the_editor_refuses(scene: Scene, way: Way) -> None:
    """The value may be in the vault then: that is said, and the text still holds it."""
    with killed_while_editing(scene):
        result = way(scene)
        assert scene.closed.read_text() == scene.closed_text
        assert result["applied"] is False
        assert scene.client.texts[scene.uri].text == scene.text
        (message,) = scene.messages()
    left = scene.names()
    assert left == [] or "vault" in message, "what is left behind is told"
    assert way(scene)["applied"] is True


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "file", "nothing"])
def test_a_closed_file_that_is_replaced_meanwhile(scene: Scene, kind: str) -> None:
    """While the editor edits, something else takes its name: it is left alone and said, the rest is fixed."""
    outside = scene.home.path.parent / "outside.js"
    outside.write_text(scene.closed_text)

    def apply(params: Json) -> Json:
        scene.closed.unlink()
        match kind:
            case "link":
                scene.closed.symlink_to(outside)
            case "folder":
                scene.closed.mkdir()
            case "pipe":
                os.mkfifo(scene.closed)
            case "file":
                scene.closed.write_text("const other = 1;\n")
            case _:
                pass
        return scene.client.apply(params)

    scene.client.answers["workspace/applyEdit"] = apply
    result = workspace(scene)
    assert (len(result["names"]), len(result["left"])) == (2, 1)
    assert "closed.js" in result["left"][0]
    assert outside.read_text() == scene.closed_text
    assert scene.tokens[0] not in scene.client.texts[scene.uri].text
    assert len(scene.names()) == 2
    assert (scene.manifest() or "").count("[secrets.") == 2
    if kind == "file":
        assert scene.closed.read_text() == "const other = 1;\n"


def test_an_open_text_that_changes_while_the_values_are_stored(scene: Scene) -> None:
    """Neither it nor a file that nobody has open is touched, and no value is kept."""
    pid = scene.broker()
    os.kill(pid, signal.SIGSTOP)
    answers: list[Json] = []
    moving = threading.Thread(target=lambda: answers.append(workspace(scene)))
    moving.start()
    time.sleep(1.5)
    scene.client.change(scene.uri, text="A = 1\n" + scene.text)
    scene.client.diagnostics(scene.uri)
    os.kill(pid, signal.SIGCONT)
    moving.join(60)
    assert answers[0]["applied"] is False
    assert scene.client.texts[scene.uri].text == "A = 1\n" + scene.text
    assert scene.closed.read_text() == scene.closed_text
    assert scene.names() == []
    assert scene.manifest() is None
    assert len(scene.messages()) == 1


def _with_passphrase(home: Home, word: str, *arguments: str) -> None:
    read, write = os.pipe()
    os.write(write, word.encode() + b"\n")
    os.close(write)
    subprocess.run(
        home.command(*arguments), env=home.env | {"LOCUM_PASSPHRASE_FD": str(read)}, pass_fds=[read], check=True, capture_output=True,
        cwd=home.project, start_new_session=True, timeout=60,
    )  # fmt: skip
    os.close(read)
