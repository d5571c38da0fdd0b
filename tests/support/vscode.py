"""A real VS Code (code-server) with our packaged extension, in a real browser, driven as a person drives it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bed.install import Bed
from support.home import AGENT_MARKERS

SETTINGS: dict[str, Any] = {
    "workbench.startupEditor": "none", "telemetry.telemetryLevel": "off", "chat.disableAIFeatures": True,
    "extensions.autoUpdate": "off", "extensions.autoCheckUpdates": False, "update.mode": "none",
    "task.quickOpen.showAll": True,
    "workbench.enableExperiments": False, "window.restoreWindows": "none", "git.openRepositoryInParentFolders": "never",
    "files.autoSave": "off",  # the default of a desktop; in a browser it is another one
    "task.allowAutomaticTasks": "off", "terminal.integrated.gpuAcceleration": "off", "editor.minimap.enabled": False,
    "terminal.integrated.shellIntegration.enabled": False, "workbench.tips.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.localHistory.enabled": False,  # the editor's own copies of what was on disk, from before a fix
}  # fmt: skip
NO_GALLERY = json.dumps({"serviceUrl": "http://127.0.0.1:9/", "itemUrl": "", "resourceUrlTemplate": ""})

# Starts the server as a person's login would: a session of its own that is no descendant of whoever runs the tests.
_DETACH = "import os,sys\nif os.fork(): os._exit(0)\nos.setsid(); print(os.getpid(), flush=True)\nos.execv(sys.argv[1], sys.argv[1:])"


def install_extension(bed: Bed, package: Path, folder: Path, env: Mapping[str, str]) -> None:
    """Install a .vsix into an extensions folder, by code-server's own command."""
    done = subprocess.run(
        [bed.node24, bed.code_server, "--user-data-dir", str(folder / "none"), "--config", str(folder / "none.yaml"),
         "--extensions-dir", str(folder), "--install-extension", str(package)],
        env={**env, "EXTENSIONS_GALLERY": NO_GALLERY}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


class Browser:
    """One page; `call("keyboard.press", "Enter")` calls playwright's `page.keyboard.press("Enter")`."""

    def __init__(self, bed: Bed) -> None:
        script = Path(__file__).with_name("browser.mjs")
        self._process = subprocess.Popen(
            [bed.node24, str(script), bed.playwright, bed.chromium],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer("start")

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a method of the page. Fails the test with playwright's own words."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"call": name, "args": arguments}) + "\n")
        self._process.stdin.flush()
        return self._answer(f"{name} {arguments}")

    def close(self) -> None:
        """Close the browser."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(self, what: str) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the browser ended at: {what}"
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserProblem(f"{what}\n{answer['error']}")
        return answer["result"]


class BrowserProblem(AssertionError):
    """Something did not show up, or could not be done."""


class VSCode:
    """A window on `project`. Selectors are playwright's."""

    def __init__(
        self,
        bed: Bed,
        *,
        extensions: Path,
        env: Mapping[str, str],
        project: Path,
        folder: Path,
        settings: dict[str, Any],
        arguments: Sequence[str] = (),
        more_settings: Mapping[str, Any] | None = None,
    ) -> None:
        user = folder / "data/User"
        user.mkdir(parents=True)
        (user / "settings.json").write_text(json.dumps(SETTINGS | dict(more_settings or {})))
        machine = folder / "data/Machine"
        machine.mkdir()
        (machine / "settings.json").write_text(json.dumps(settings))
        self.data = folder / "data"
        own = shutil.copytree(extensions, folder / "extensions")
        port = _free_port()
        clean = {name: value for name, value in env.items() if name not in AGENT_MARKERS}
        with (folder / "code-server.log").open("wb") as log:
            detached = subprocess.Popen(
                [sys.executable, "-c", _DETACH, bed.node24, bed.code_server, "--user-data-dir", str(self.data),
                 "--extensions-dir", str(own), "--config", str(folder / "config.yaml"), "--auth", "none",
                 "--bind-addr", f"127.0.0.1:{port}", "--disable-telemetry", "--disable-update-check",
                 "--disable-workspace-trust", *arguments, str(project)],
                env={**clean, "EXTENSIONS_GALLERY": NO_GALLERY, "SHELL": "/bin/sh"},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
            assert detached.stdout
            self._pid = int(detached.stdout.readline())
            detached.wait()
            self._stdout = detached.stdout
        _wait_for_http(f"http://127.0.0.1:{port}/healthz")
        self.page = Browser(bed)
        self.page.call("goto", f"http://127.0.0.1:{port}/?folder={quote(str(project))}")
        self.see(".monaco-workbench", 60)

    # -- looking ------------------------------------------------------------------------------------------------

    def see(self, selector: str, seconds: float = 20) -> None:
        """Wait until something is visible."""
        self.page.call("waitForSelector", selector, {"timeout": seconds * 1000, "state": "visible"})

    def gone(self, selector: str, seconds: float = 20) -> None:
        """Wait until nothing of it is visible."""
        self.page.call("waitForSelector", selector, {"timeout": seconds * 1000, "state": "hidden"})

    def read(self, selector: str) -> str:
        """Return the visible text of the first match."""
        return self.page.call("innerText", selector)

    def editor_text(self) -> str:
        """Return the lines that the editor shows, as plain text."""
        lines = self.page.call(
            "evaluate",
            "[...document.querySelectorAll('.editor-instance .view-line')].sort((a, b) => a.offsetTop - b.offsetTop).map(l => l.innerText)",
        )
        return "\n".join(lines).replace("\u00a0", " ")

    def terminal_text(self) -> str:
        """Return what the terminals show."""
        rows = self.page.call("evaluate", "[...document.querySelectorAll('.xterm-rows > div')].map(l => l.innerText)")
        return "\n".join(rows).replace("\u00a0", " ")

    def wait_terminal(self, text: str, seconds: float = 30) -> str:
        """Wait until a terminal shows `text`, wherever its lines are broken."""
        end = time.monotonic() + seconds
        while "".join(text.split()) not in "".join(self.terminal_text().split()):
            assert time.monotonic() < end, (
                f"no {text!r} within {seconds} s; the terminal shows:\n{self.terminal_text()}"
            )
            time.sleep(0.1)
        return self.terminal_text()

    def screenshot(self, path: Path) -> None:
        """Keep what the window shows."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.call("screenshot", {"path": str(path)})

    # -- doing --------------------------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.call("keyboard.press", key)

    def type(self, text: str) -> None:
        """Type text."""
        self.page.call("keyboard.type", text)

    def click(self, selector: str) -> None:
        """Click on the first match."""
        self.page.call("click", selector)

    def quick(self, key: str, text: str) -> None:
        """Open a quick input by its key, type, and take the row that begins with what was typed."""
        self.press(key)
        self.see(".quick-input-widget input")
        self.type(text)
        self.take(text)

    def take(self, label: str) -> None:
        """Take the row of an open quick input that begins with `label`."""
        row = f'.quick-input-list .monaco-list-row[aria-label^="{label}"]'
        self.see(row)
        self.click(row)

    def open(self, name: str) -> None:
        """Open a file of the project by its name."""
        self.quick("Control+P", name)
        self.see(f".tab.active:has-text('{name}')")

    def command(self, title: str) -> None:
        """Run a command of the palette."""
        self.quick("F1", title)

    def close(self, last: Path) -> None:
        """Keep what the window shows in `last`, close it, end the server and what it started."""
        if self._stdout.closed:
            return
        with contextlib.suppress(BrowserProblem):
            self.screenshot(last)
        self.page.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
        end = time.monotonic() + 10
        while _is_running(self._pid) and time.monotonic() < end:
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        self._stdout.close()


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _wait_for_http(url: str) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            assert time.monotonic() < end, "code-server did not start"
            time.sleep(0.1)
