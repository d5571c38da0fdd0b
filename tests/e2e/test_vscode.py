"""A real VS Code with our packaged extension, from the squiggle to the approval, driven through its own screen."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest

from support.bed import ARTEFACTS, need_bed, need_extension
from support.home import Home, canary
from support.tokens import MAKERS, github_token
from support.transcript import Transcript
from support.vscode import BrowserProblem, VSCode, install_extension
from support.vscode_agent import COMMAND, agent_package, answers

pytestmark = [pytest.mark.vscode, pytest.mark.timeout(240)]

SQUIGGLE = ".monaco-editor .squiggly-error"
DIALOG = ".monaco-dialog-box"
QUESTION = ".notification-list-item:has-text('Locum: move')"
TRACING = {"initialize", "$/setTrace"}
READ_FIRST = 0.7
"""Seconds that a person looks at a dialog before pressing a button; sooner than half a second does not count."""

TASK = """
import os, pathlib, time
print("value:", os.environ["API_KEY"], "length", len(os.environ["API_KEY"]))
while not pathlib.Path("go").exists():
    time.sleep(0.1)
pathlib.Path("go").unlink()
print("done")
"""

Open = Callable[..., VSCode]
"""Opens a window; takes more arguments for code-server."""


@pytest.fixture(scope="session")
def extensions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an extensions folder with our .vsix installed; each window gets a copy."""
    folder = tmp_path_factory.mktemp("extensions")
    install_extension(need_bed(), need_extension(), folder, {"PATH": "/usr/bin:/bin", "HOME": str(folder)})
    return folder


@pytest.fixture
def transcript(vault_home: Home, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Transcript]:
    """Give the recorded server; its record is kept."""
    recorded = Transcript(vault_home, tmp_path / "vscode")
    yield recorded
    recorded.keep(f"vscode-{request.node.name}.transcript")


@pytest.fixture
def open_window(
    vault_home: Home, transcript: Transcript, extensions: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Open]:
    """Give a function that opens a window on the project; what it showed last is kept."""
    windows: list[VSCode] = []

    def start(*arguments: str, user: dict[str, Any] | None = None) -> VSCode:
        window = VSCode(
            need_bed(), extensions=extensions, env=transcript.env, project=vault_home.project,
            folder=tmp_path / f"window{len(windows)}", settings={"locum.path": str(transcript.program)},
            arguments=arguments, more_settings=user,
        )  # fmt: skip
        windows.append(window)
        return window

    yield start
    for window in windows:
        window.close(ARTEFACTS / f"{request.node.name}.png")


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """Wait until a condition holds; return what it gave."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)
    return answer


def holding(folder: Path, value: str) -> list[Path]:
    """Return the files under a folder that hold a value."""
    found: list[Path] = []
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # the editor is at work there
            if path.is_file() and value.encode() in path.read_bytes():
                found.append(path)
    return found


def test_a_planted_token_moves_into_the_vault_and_undo_brings_the_text_back(
    vault_home: Home, open_window: Open, transcript: Transcript
) -> None:
    token = github_token()
    project = vault_home.project
    before = (
        f'import requests\n\nTOKEN = "{token}"\n\n'
        'answer = requests.get("https://api.example.com/user", headers={"Authorization": TOKEN})\n'
        "print(answer.status_code)\n"
    )
    (project / "app.py").write_text(before)
    (project / ".vscode").mkdir()
    # A workspace that asks for a trace of the protocol, which would hold the document's text, must not get one.
    (project / ".vscode/settings.json").write_text(json.dumps({"locum.trace.server": "verbose"}))

    code = open_window("--log", "trace")
    code.open("app.py")
    code.see(SQUIGGLE, 40)
    code.press("Control+Shift+M")
    code.see(".markers-panel .monaco-list-row:has-text('github-pat')")
    row = code.read(".markers-panel .monaco-list-row:has-text('github-pat')")
    assert token not in row

    code.click(".editor-instance .view-line:has-text('TOKEN =')")
    code.press("Home", *["ArrowRight"] * 12, "Control+.")
    code.see(".action-widget .action-list-item, .action-widget .monaco-list-row")
    code.see(".action-widget :text('vault')")
    code.screenshot(ARTEFACTS / "vscode-quick-fix.png")
    menu = code.read(".action-widget")
    assert token not in menu
    code.click(".action-widget .monaco-list-row:has-text('vault')")

    code.gone(SQUIGGLE)
    (name,) = [entry["name"] for entry in vault_home.json("secret", "list")["secrets"]]
    wait_until(lambda: f'os.environ["{name}"]' in code.editor_text(), "the idiom in the editor")
    manifest = project / "locum.toml"
    assert f"[secrets.{name}]" in wait_until(lambda: manifest.exists() and manifest.read_text(), "locum.toml")
    code.screenshot(ARTEFACTS / "vscode-fixed.png")
    code.press("Control+S")
    on_disk = wait_until(lambda: (text := (project / "app.py").read_text()) != before and text, "the saved file")
    assert f'os.environ["{name}"]' in on_disk
    assert token not in on_disk + manifest.read_text()

    code.press("Control+Z")
    wait_until(lambda: token in code.editor_text(), "the text from before")
    code.see(SQUIGGLE)

    code.click(".editor-instance .view-line:has-text('TOKEN =')")
    (server,) = transcript.servers()
    os.kill(server, signal.SIGKILL)  # the editor starts another one, which is told about the open document
    wait_until(lambda: transcript.servers() not in ([], [server]), "another server")
    code.see(SQUIGGLE)

    code.press("Control+Shift+Z", "Control+S")  # leave no unsaved text behind: VS Code keeps that in a backup file
    wait_until(lambda: token not in code.editor_text(), "the idiom again")
    wait_until(lambda: not holding(code.data, token), "the end of the backup file")

    code.close(ARTEFACTS / "vscode-end.png")
    transcript.assert_only_document_text_holds(token)
    assert token.encode() not in vault_home.everything_written()
    assert holding(code.data, token) == []
    asked_for = [message["params"] for message in transcript.client() if message.get("method") in TRACING]
    assert {params.get("trace", params.get("value")) for params in asked_for} == {"off"}


MOVED = 'TOKEN = os.environ["GITHUB_TOKEN"]'


def test_a_whole_workspace_moves_after_one_question_and_its_names_follow(
    vault_home: Home, open_window: Open, transcript: Transcript
) -> None:
    token, other, project = github_token(), MAKERS["stripe"](SystemRandom()), vault_home.project
    before = f'import requests\n\nTOKEN = "{token}"\n\nprint(TOKEN)\n'
    (project / "app.py").write_text(before)
    (project / ".env").write_text(f"GITHUB_TOKEN={token}\nSTRIPE_KEY={other}\n")
    (project / "closed.js").write_text(f'const key = "{other}";\n')
    code = open_window()
    code.see(".statusbar-item:has-text('Locum: 0 leases · L0')", 40)
    code.open(".env")
    code.click(".explorer-folders-view .monaco-list-row:has-text('app.py')")  # in a tab that the next file takes
    code.see(SQUIGGLE)

    code.command("Locum: Move All Secrets of the Workspace")
    code.see(QUESTION)
    assert "move 4 secrets in 3 files to your vault? GITHUB_TOKEN, STRIPE_KEY." in code.read(QUESTION)
    code.click(f"{QUESTION} .monaco-button:has-text('Show every line first')")
    code.see(".tab.active:has-text('preview.diff')")
    code.see(".view-line:has-text('+GITHUB_TOKEN=locum://GITHUB_TOKEN')")
    assert '-TOKEN = "•••"' in code.editor_text()
    code.see(
        f"{QUESTION} .codicon-error"
    )  # of all notifications, the editor leaves only errors until they are answered
    code.screenshot(ARTEFACTS / "vscode-workspace.png")
    code.click(f"{QUESTION} .monaco-button:has-text('Move them')")

    code.see(".notification-list-item:has-text('Moved 4 secrets to your vault')")
    assert (project / "app.py").read_text() == before, "what is open is the person's to save"
    assert (project / "closed.js").read_text() == "const key = process.env.STRIPE_KEY;\n"
    assert (project / "locum.toml").read_text().count("[secrets.") == 2
    code.press("Control+Shift+M")
    code.see(".markers-panel:has-text('No problems have been detected')")
    code.click(".tab:has-text('app.py')")
    code.see(".view-line:has-text('os.environ')")
    assert MOVED in code.editor_text()
    code.press("Control+Z")  # one step, in both files
    wait_until(lambda: code.editor_text() == before.removesuffix("\n") + "\n", "the text from before")
    code.see(".markers-panel .monaco-list-row:has-text('stripe-secret-key')")

    _other_fixes(code, transcript)
    code.press("Control+S")
    code.open(".env")
    _quick_fix(code, "STRIPE_KEY", 14, "Replace by a placeholder")
    code.see(".view-line:has-text('STRIPE_KEY=your-stripe-key-here')")
    code.press("Control+Z")
    _quick_fix(code, "STRIPE_KEY", 14, "Move all 2 secrets in this file")
    code.see(".view-line:has-text('STRIPE_KEY=locum://STRIPE_KEY')")
    code.press("Control+S")

    _names(code, project)
    assert [item["name"] for item in vault_home.json("secret", "list")["secrets"]] == [
        "GITHUB_TOKEN", "SHOP_KEY", "STRIPE_KEY",
    ]  # fmt: skip
    wait_until(lambda: not holding(code.data, token) + holding(code.data, other), "the end of the backup files")
    code.close(ARTEFACTS / "vscode-workspace-end.png")
    for value in (token, other):
        transcript.assert_only_document_text_holds(value)
        assert value.encode() not in vault_home.everything_written()
        assert holding(project, value) + holding(code.data, value) == []


def _quick_fix(code: VSCode, line: str, column: int, label: str) -> str:
    """Take an entry of the list of fixes at a place; return the list.

    Asked for again like by a person: diagnostics that come meanwhile close the list, and a vault that does not answer at
    once is left out of it.
    """
    row = f".action-widget .monaco-list-row:has-text('{label}')"
    for _ in range(5):
        code.click(f".editor-instance .view-line:has-text('{line}')")
        code.press("Home", *["ArrowRight"] * column, "Control+.")
        with contextlib.suppress(BrowserProblem):
            code.see(row, 4)
            menu = code.read(".action-widget")
            code.page.call("click", row, {"timeout": 2000})
            return menu
        code.press("Escape")
    raise AssertionError(f"no {label!r} among the fixes")


def _other_fixes(code: VSCode, transcript: Transcript) -> None:
    """Open the vendor's page, which a person then does not want; use what the vault has."""
    menu = _quick_fix(code, "TOKEN =", 12, "Rotate it")
    assert "Replace by a placeholder" in menu
    code.see(f"{DIALOG}:has-text('https://docs.github.com/')")
    press_button(code, "Cancel")
    code.see(".notification-list-item:has-text('Rotate it here')")
    (asked,) = [item["params"] for item in transcript.server() if item.get("params", {}).get("external")]
    assert asked["uri"].startswith("https://docs.github.com/")
    _quick_fix(code, "TOKEN =", 12, "Use GITHUB_TOKEN, which your vault has")
    code.see(".view-line:has-text('os.environ')")
    assert MOVED in code.editor_text()


def _names(code: VSCode, project: Path) -> None:
    """Go from a reference to its declaration, see what is known of it, rename it everywhere."""
    into = ("Control+Home", "ArrowDown", "Home", *["ArrowRight"] * 22)
    code.press(*into, "F12")
    code.see(".tab.active:has-text('locum.toml')")
    code.see(".statusbar-item:has-text('Ln 6, Col 10')")
    code.open(".env")
    code.press(*into, "Control+K", "Control+I")
    code.see(".monaco-hover:has-text('In the vault: yes')")
    assert "From: your local vault" in code.read(".monaco-hover:has-text('In the vault: yes')")
    code.press("Escape", "F2")
    code.see(".rename-box input")
    assert code.page.call("inputValue", ".rename-box input") == "STRIPE_KEY"
    code.page.call("fill", ".rename-box input", "SHOP_KEY")
    code.page.call("press", ".rename-box input", "Enter")
    code.see(f"{DIALOG}:has-text('Give STRIPE_KEY a second name, SHOP_KEY')")
    time.sleep(READ_FIRST)
    press_button(code, "Allow once")
    code.see(".view-line:has-text('SHOP_KEY=locum://SHOP_KEY')")
    wait_until(lambda: "[secrets.SHOP_KEY]" in (project / "locum.toml").read_text(), "the manifest's new name")
    wait_until(lambda: "process.env.SHOP_KEY" in (project / "closed.js").read_text(), "the closed file's new name")
    code.press("Control+S")
    wait_until(lambda: "SHOP_KEY=locum://SHOP_KEY" in (project / ".env").read_text(), "the saved file")


@pytest.fixture
def task_value(vault_home: Home) -> str:
    """Give a project whose task `show` uses API_KEY; return the value."""
    value = canary()
    vault_home.store("API_KEY", value)
    (vault_home.project / "show.py").write_text(TASK)
    (vault_home.project / "locum.toml").write_text(
        '[secrets.API_KEY]\nsource = "local"\n\n[tasks.show]\ncommand = ["python3", "show.py"]\nsecrets = ["API_KEY"]\nttl = "15m"\n'
    )
    return value


def start_task(code: VSCode) -> str:
    """Run the task by the editor's own command; return what the dialog says."""
    code.command("Tasks: Run Task")
    code.take("locum: show")
    code.see(DIALOG, 30)
    time.sleep(READ_FIRST)
    return code.read(DIALOG)


def press_button(code: VSCode, label: str) -> None:
    code.click(f"{DIALOG} .monaco-button:has-text('{label}')")
    code.gone(DIALOG)


def test_a_task_gets_its_secret_after_a_click_and_not_without(
    vault_home: Home, task_value: str, open_window: Open, transcript: Transcript
) -> None:
    code = open_window()
    code.open("locum.toml")
    code.see(".statusbar-item:has-text('Locum: 0 leases · L0')", 40)
    wait_until(lambda: vault_home.json("broker", "status").get("control"), "the control channel")

    asked = start_task(code)
    assert "Let task show use 1 secret?" in asked
    for part in ("python3 show.py", "locum://API_KEY", str(vault_home.project), "15 min", "L0"):
        assert part in asked
    code.screenshot(ARTEFACTS / "vscode-approval.png")
    press_button(code, "Allow once")
    shown = code.wait_terminal("value: locum://API_KEY length 32")
    assert task_value not in shown
    code.see(".statusbar-item:has-text('Locum: 1 lease · L0')")
    code.screenshot(ARTEFACTS / "vscode-task.png")
    (vault_home.project / "go").touch()
    code.wait_terminal("done")
    code.see(".statusbar-item:has-text('Locum: 0 leases')")

    start_task(code)
    press_button(code, "Deny")
    code.wait_terminal("exit code: 3")
    assert "value:" not in code.terminal_text()

    start_task(code)
    code.press("Escape")
    code.gone(DIALOG)
    code.wait_terminal("exit code: 3")

    start_task(code)
    code.press("Enter")  # a stray Enter, for whatever had the focus before
    code.gone(DIALOG)
    code.wait_terminal("exit code: 3")

    start_task(code)
    press_button(code, "Allow once")
    code.wait_terminal("value: locum://API_KEY")
    code.command("Locum: End Lease")
    code.take("show")
    code.wait_terminal("the lease has ended")
    code.see(".statusbar-item:has-text('Locum: 0 leases')")

    code.close(ARTEFACTS / "vscode-tasks-end.png")
    vault_home.run("audit", "verify")
    operations = [record["api"]["operation"] for record in vault_home.json("audit", "show")["records"]]
    assert operations.count("lease.grant") == 2
    assert operations.count("lease.deny") == 3
    for path in transcript.folder.iterdir():
        assert task_value.encode() not in path.read_bytes(), f"the value is in {path.name}"
    assert task_value.encode() not in vault_home.everything_written()


@pytest.mark.parametrize(
    ("program", "says", "button", "status"),
    [
        ("", "not on PATH", "Set Path", "Locum: off"),
        ("#!/bin/sh\nexit 1\n", "the server did not start", "Show Output", "Locum: 0 leases"),
    ],
    ids=["absent", "broken"],
)
def test_the_extension_says_once_what_is_wrong_with_the_program(
    home: Home, extensions: Path, tmp_path: Path, program: str, says: str, button: str, status: str
) -> None:
    path = tmp_path / "broken"
    path.write_text(program)
    path.chmod(0o755)
    window = VSCode(
        need_bed(), extensions=extensions, env=home.env | {"PATH": "/usr/bin:/bin"}, project=home.project,
        folder=tmp_path / "window", settings={"locum.path": str(path) if program else ""},
    )  # fmt: skip
    try:
        window.see(f".notification-list-item:has-text('{says}')", 40)
        window.see(f".notification-list-item .monaco-button:has-text('{button}')")
        window.see(f".statusbar-item:has-text('{status}')")
        time.sleep(1)  # for a second one that should not come
        assert window.page.call("evaluate", "document.querySelectorAll('.notification-toast').length") == 1
    finally:
        window.close(ARTEFACTS / f"vscode-program-{'broken' if program else 'absent'}.png")


WITH_AGENTS = {"chat.disableAIFeatures": False, "chat.mcp.access": "all", "chat.mcp.autostart": "newAndOutdated"}


def test_the_editors_own_agent_uses_secrets_that_it_never_sees(
    vault_home: Home, task_value: str, open_window: Open, extensions: Path, transcript: Transcript
) -> None:
    """VS Code's own MCP client on the server that our extension offers; a stand-in for the model says what to call."""
    typed, project = canary(), vault_home.project
    install_extension(
        need_bed(), agent_package(extensions), extensions, {"PATH": "/usr/bin:/bin", "HOME": str(extensions)}
    )
    asked = {"name": "STRIPE_KEY", "reason": "to charge cards"}
    run = {"command": ["sh", "-c", "echo $API_KEY $STRIPE_KEY"], "secrets": ["API_KEY", "STRIPE_KEY"]}
    calls = [("list_secrets", {}), ("request_secret", asked), ("run_command", run)]
    (project / "calls.json").write_text(json.dumps([{"tool": tool, "input": given} for tool, given in calls]))
    code = open_window(user=WITH_AGENTS)
    code.see(".statusbar-item:has-text('Locum: 0 leases')", 60)
    wait_until(lambda: vault_home.json("broker", "status").get("control"), "the control channel")
    code.command(COMMAND)
    code.click(f"{DIALOG}:has-text('Ask the person for a secret') .monaco-button:has-text('Yes')")  # the client's own
    code.see(".quick-input-widget:has-text('Store STRIPE_KEY in your vault?') input[type=password]", 60)
    assert "to charge cards" in code.read(".quick-input-widget")
    code.type(typed)
    code.press("Enter")
    code.click(f"{DIALOG}:has-text('Run a command with secrets') .monaco-button:has-text('Yes')")
    code.see(f"{DIALOG}:has-text('Let sh use 2 secrets?')", 60)
    time.sleep(READ_FIRST)
    press_button(code, "Allow once")
    said = wait_until(lambda: len(found := answers(project)) == 4 and found, "the answers", 60)
    assert {name.rpartition("locum_")[2] for name in said[0]["names"]} >= {"run_task", "import_env", "end_task"}
    assert json.loads(said[1]["said"])["secrets"][0]["name"] == "API_KEY"
    assert json.loads(said[2]["said"])["reference"] == "locum://STRIPE_KEY"
    assert json.loads(said[3]["said"])["output"] == "locum://API_KEY locum://STRIPE_KEY\n"
    code.close(ARTEFACTS / "vscode-agent.png")
    for value in (task_value, typed):
        assert value.encode() not in vault_home.everything_written()
        assert holding(project, value) + holding(code.data, value) == []
