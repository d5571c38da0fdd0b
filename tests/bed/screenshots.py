"""Take the pictures of the README from a real VS Code on the sample shop: `make pictures`.

    docs/images/vscode.png            a plaintext secret: squiggle, Problems, quick fixes
    docs/images/vscode-approval.png   a task asks for the secret
    docs/images/vscode-workspace.png  what a move of the whole workspace would do, and its question

The secrets that can be seen are the sample's, made up for this one run.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "server")]

from locum.samples.builder import build_shop  # noqa: E402 - the path comes first
from support.bed import need_bed, need_extension  # noqa: E402 - the path comes first
from support.home import Home  # noqa: E402 - the path comes first
from support.transcript import Transcript  # noqa: E402 - the path comes first
from support.vscode import VSCode, install_extension  # noqa: E402 - the path comes first

IMAGES = ROOT / "docs/images"
DIALOG = ".monaco-dialog-box"


def main() -> None:
    """Take all pictures."""
    base = Path(tempfile.mkdtemp(prefix="demo-"))
    home = Home(base)
    home.project = base / "shop"
    build_shop(home.project)
    home.init()
    program = Transcript(home, base)
    extensions = base / "extensions"
    install_extension(need_bed(), need_extension(), extensions, home.env)
    code = VSCode(
        need_bed(),
        extensions=extensions,
        env=program.env,
        project=home.project,
        folder=base / "window",
        settings={"locum.path": str(program.program)},
    )
    try:
        _quick_fix(code)
        _approval(code, home.project / "locum.toml")
        _workspace(code)
    finally:
        code.close(base / "last.png")
        home.close()
    shutil.rmtree(base)


def _quick_fix(code: VSCode) -> None:
    code.see(".statusbar-item:has-text('· L0')", 40)
    code.open("shop.py")
    code.see(".monaco-editor .squiggly-error", 40)
    code.press("Control+Shift+M")
    code.see(".markers-panel .monaco-list-row")
    code.click(".editor-instance .view-line:has-text('STRIPE_API_KEY =')")
    code.press("Home", *["ArrowRight"] * 20, "Control+.")
    code.see(".action-widget :text('vault')")
    time.sleep(1)  # for what fades in
    code.screenshot(IMAGES / "vscode.png")
    code.click(".action-widget .monaco-list-row:has-text('vault')")
    code.gone(".monaco-editor .squiggly-error")
    code.press("Control+S")


def _approval(code: VSCode, manifest: Path) -> None:
    command = 'command = ["python3", "test_shop.py"]\n'
    text = manifest.read_text()
    manifest.write_text(text.replace(command, command + 'secrets = ["STRIPE_API_KEY"]\n'))
    code.command("Notifications: Clear All")
    code.open("locum.toml")
    code.command("Tasks: Run Task")
    code.take("locum: test")
    code.see(DIALOG, 30)
    time.sleep(1)
    code.screenshot(IMAGES / "vscode-approval.png")
    code.click(f"{DIALOG} .monaco-button:has-text('Deny')")


def _workspace(code: VSCode) -> None:
    question = ".notification-list-item:has-text('Locum: move')"
    code.command("Notifications: Clear All")
    code.press("Control+J", "Control+B")  # away with panel and side bar
    code.command("Locum: Move All Secrets of the Workspace")
    code.click(f"{question} .monaco-button:has-text('Show every line first')")
    code.see(".tab.active:has-text('preview.diff')")
    code.see(f"{question} .monaco-button:has-text('Move them')")
    code.page.call("mouse.move", 640, 600)
    time.sleep(1)
    code.screenshot(IMAGES / "vscode-workspace.png")
    code.click(f"{question} .monaco-button:has-text('Cancel')")


if __name__ == "__main__":
    main()
