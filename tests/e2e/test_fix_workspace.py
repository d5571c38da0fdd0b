"""A workspace with secrets in every kind of file, fixed in one go: nobody finds one there any more, and all programs run as before.

Real server, broker, vault, terminals and toolchains, and the scanners of others. The workspace is `workspace.txt`.
"""

from __future__ import annotations

import json
import re
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.peers import Scanner, locate
from support import programs
from support.bed import need_bed
from support.fixture_workspace import Workspace, build
from support.home import Home
from support.lsp import PULL, Client
from support.tokens import github_token

OTHERS = ("gitleaks", "kingfisher")
EVERY_OTHER = 2
"""Of the files, one in so many is open in the editor."""


@dataclass
class Fixed:
    """A workspace after its fix, and what it was before."""

    home: Home
    workspace: Workspace = field(repr=False)
    modes: dict[str, int]
    before: dict[str, str]
    """What the programs printed."""
    said: str
    """What the fix told."""
    transcript: bytes = b""
    """All that the language server sent."""
    questions: list[str] = field(default_factory=list[str])
    """What the editor's user was asked."""

    def names(self) -> list[str]:
        return [item["name"] for item in self.home.json("secret", "list")["secrets"]]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Give what the programs print as long as their secrets stand in them."""
    home = _home(tmp_path_factory.mktemp("before"))
    yield programs.plainly(home, build(home.project))
    home.close()


@pytest.fixture(scope="module")
def by_command(tmp_path_factory: pytest.TempPathFactory, before: dict[str, str]) -> Iterator[Fixed]:
    """Give a workspace that `locum fix --all` has fixed."""
    fixed = _made(tmp_path_factory.mktemp("command"), before)
    done = fixed.home.run("fix", "--all", check=None)
    fixed.said = done.stdout + done.stderr
    yield fixed
    fixed.home.close()


@pytest.fixture(scope="module")
def by_editor(tmp_path_factory: pytest.TempPathFactory, before: dict[str, str]) -> Iterator[Fixed]:
    """Give a workspace that the editor's command has fixed, with every other file open there and saved afterwards."""
    fixed = _made(tmp_path_factory.mktemp("editor"), before)
    client = Client(fixed.home, PULL)
    client.answers["window/showMessageRequest"] = lambda params: params["actions"][0]
    paths = list(fixed.workspace.encodings)[::EVERY_OTHER]
    texts = fixed.workspace.texts()
    for path in paths:
        client.open(path, texts[path], _LANGUAGES.get(Path(path).suffix, "plaintext"))
    result = client.request(
        "workspace/executeCommand", {"command": "locum.moveAllToVault", "arguments": [{"scope": "workspace"}]}, timeout=100
    )  # fmt: skip
    fixed.said = json.dumps(result)
    fixed.questions = [item["params"]["message"] for item in client.requests if "Request" in item["method"]]
    for path in paths:
        place, uri = fixed.workspace.folder / path, (fixed.workspace.folder / path).as_uri()
        encoding, mark = fixed.workspace.encodings[path], fixed.workspace.written[path][:3]
        start = next((bom for bom in (b"\xef\xbb\xbf", b"\xff\xfe") if mark.startswith(bom)), b"")
        place.write_bytes(start + client.texts[uri].text.encode(encoding))
    assert client.close() == 0
    fixed.transcript = client.received + client.errors
    yield fixed
    fixed.home.close()


_LANGUAGES = {".py": "python", ".js": "javascript", ".ts": "typescript", ".json": "json", ".yml": "yaml", ".go": "go"}


def _home(base: Path) -> Home:
    home = Home(base)
    (base / "built").mkdir()
    programs.locum_on_path(home)
    return home


def _made(base: Path, before: dict[str, str]) -> Fixed:
    home = _home(base)
    home.init()
    workspace = build(home.project)  # with the same values as `before`'s
    (home.project / ".git").mkdir()  # a repository's root is a project's
    modes = {path: stat.S_IMODE((home.project / path).stat().st_mode) for path in workspace.written}
    return Fixed(home, workspace, modes, before, "")


@pytest.fixture(params=["by_command", "by_editor"])
def fixed(request: pytest.FixtureRequest) -> Fixed:
    """Give each way of fixing."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=OTHERS)
def scanner(request: pytest.FixtureRequest) -> Scanner:
    """Give one of the others' scanners."""
    found = locate(request.param, (getattr(need_bed(), request.param),))
    assert found is not None
    return found


def test_there_is_something_to_fix(tmp_path: Path, scanner: Scanner) -> None:
    """Else the other tests would say nothing."""
    workspace = build(tmp_path)
    kinds = {Path(path).suffix or Path(path).name for path in workspace.holding()}
    assert len(workspace.values) >= 60
    assert len(kinds) >= 25
    assert len(scanner.scan(tmp_path).findings) >= 30


def test_no_value_is_left(fixed: Fixed) -> None:
    assert fixed.workspace.holding() == {}, fixed.said


def test_we_find_nothing(fixed: Fixed) -> None:
    found = json.loads(fixed.home.run("scan", "--format", "json", "--no-ignore", check=None).stdout)
    assert [(item["path"], item["rule"]) for item in found["findings"]] == []


def test_others_find_nothing(fixed: Fixed, scanner: Scanner) -> None:
    assert [f"{found.file}:{found.line} {found.rule}" for found in scanner.scan(fixed.home.project).findings] == []


def test_programs_print_the_same(fixed: Fixed) -> None:
    assert programs.under_locum(fixed.home, fixed.workspace, fixed.names()) == fixed.before


def test_files_are_written_as_they_were(fixed: Fixed) -> None:
    """Mode, byte-order mark, encoding and line ends; and nothing new lies beside them but the manifest."""
    folder = fixed.workspace.folder
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {*fixed.workspace.written, "locum.toml"}
    for path, before in fixed.workspace.written.items():
        after = (folder / path).read_bytes()
        assert stat.S_IMODE((folder / path).stat().st_mode) == fixed.modes[path], path
        assert _marks(after) == _marks(before), path
        text = after.decode(fixed.workspace.encodings[path])
        ends = set(re.findall(r"\r\n|\r|\n", text))
        assert ends == set(re.findall(r"\r\n|\r|\n", before.decode(fixed.workspace.encodings[path]))), path


def _marks(data: bytes) -> bytes:
    return next((mark for mark in (b"\xef\xbb\xbf", b"\xff\xfe") if data.startswith(mark)), b"")


def test_a_value_has_one_name_and_a_name_one_value(fixed: Fixed) -> None:
    names, values = fixed.names(), len(set(fixed.workspace.values.values()))
    assert len(names) == len(set(names)) == values


def test_the_manifest_declares_what_the_vault_holds(fixed: Fixed) -> None:
    text = (fixed.workspace.folder / "locum.toml").read_text()
    assert sorted(tomllib.loads(text)["secrets"]) == sorted(fixed.names())
    assert fixed.workspace.told(text.encode()) == []


def test_a_second_run_changes_nothing(by_command: Fixed) -> None:
    folder = by_command.workspace.folder
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
    names = by_command.names()
    by_command.home.run("fix", "--all")
    assert {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()
    } == before
    assert by_command.names() == names


def test_nothing_is_missing_afterwards(fixed: Fixed) -> None:
    done = fixed.home.run("check")
    assert fixed.workspace.told((done.stdout + done.stderr).encode()) == []
    assert all(name in done.stdout for name in fixed.names())


def test_the_command_tells_no_value(by_command: Fixed) -> None:
    assert by_command.workspace.told(by_command.said.encode()) == []


def test_the_server_sends_no_value(by_editor: Fixed) -> None:
    assert b"locum.toml" in by_editor.transcript or b"GITHUB_TOKEN" in by_editor.transcript
    assert by_editor.workspace.told(by_editor.transcript) == []


def test_the_editor_asks_once(by_editor: Fixed) -> None:
    (question,) = by_editor.questions
    assert "move" in question


def test_nothing_that_locum_keeps_holds_a_value(fixed: Fixed) -> None:
    assert fixed.workspace.told(fixed.home.everything_written()) == []


def test_a_dry_run_shows_no_value_and_changes_nothing(home: Home) -> None:
    """It needs no vault either."""
    workspace = build(home.project)
    done = home.run("fix", "--dry-run", check=1)
    assert "app/main.py" in done.stdout
    assert workspace.told((done.stdout + done.stderr).encode()) == []
    assert {path: (home.project / path).read_bytes() for path in workspace.written} == workspace.written
    assert len([path for path in home.project.rglob("*") if path.is_file()]) == len(workspace.written)


def test_a_folder_that_is_no_repository_has_one_manifest(vault_home: Home) -> None:
    """As everywhere: where nothing marks a project, it is the folder that the command was run in."""
    for folder in ("a", "b/c"):
        (vault_home.project / folder).mkdir(parents=True)
        (vault_home.project / folder / "app.py").write_text(f'TOKEN = "{github_token()}"\n')
    vault_home.run("fix", "--all")
    manifests = [path.relative_to(vault_home.project).as_posix() for path in vault_home.project.rglob("locum.toml")]
    assert manifests == ["locum.toml"]
