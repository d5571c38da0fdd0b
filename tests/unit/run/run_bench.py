"""What the tests of this room share: a made-up value, and a launcher on a terminal or between pipes."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.terminal import Terminal

HERE = Path(__file__).parent
SERVER = HERE.parents[2] / "server"
LAUNCHER = [sys.executable, str(HERE / "launcher.py")]


class Bench:
    """Starts launchers whose tasks have a made-up value in $TOKEN."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.canary = "Zq" + secrets.token_urlsafe(30).replace("-", "+").replace("_", "/")
        self.env = {
            **os.environ,
            "PYTHONPATH": str(SERVER),
            "CANARY": self.canary,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "PYTHONUNBUFFERED": "1",
        }
        self.opened: list[Terminal] = []

    def command(self, *argv: str) -> list[str]:
        """The command line of a launcher."""
        return [*LAUNCHER, *argv]

    def on_terminal(self, *argv: str, bare: bool = False) -> Terminal:
        """Start a launcher on a terminal; `bare` starts the command itself, without a launcher."""
        command = list(argv) if bare else self.command(*argv)
        env = {**self.env, "TOKEN": self.canary} if bare else self.env
        terminal = Terminal(command, env=env, cwd=self.folder)
        self.opened.append(terminal)
        return terminal

    def shell_on_terminal(self, line: str, *argv: str) -> Terminal:
        """Start a shell line on a terminal; in it `"$@"` is a launcher with its command."""
        return self.on_terminal("sh", "-c", line, "sh", *self.command(*argv), bare=True)

    def piped(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        """Run a launcher between pipes to its end."""
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60, "env": self.env} | options
        return subprocess.run(self.command(*argv), cwd=self.folder, **options)

    def start_piped(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start a launcher between pipes."""
        pipe = subprocess.PIPE
        command = self.command(*argv)
        return subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Wait until the condition holds; say whether it ever did."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def is_alive(pid: int) -> bool:
    """Say whether a process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
