"""A Locum home of a test's own: vault, broker, record under one temporary directory."""

from __future__ import annotations

import json
import os
import secrets
import string
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from locum.broker.peer import AGENT_MARKERS
from support.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]


def canary(length: int = 32) -> str:
    """Return a made-up secret value that occurs nowhere else."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


class Home:
    """`LOCUM_HOME` with a folder for a project beside it."""

    def __init__(self, base: Path) -> None:
        self.path = base / "home"
        self.project = base / "project"
        self.path.mkdir(mode=0o700)
        self.project.mkdir()
        kept = {name: value for name, value in os.environ.items() if name not in AGENT_MARKERS}
        self.env = kept | {"LOCUM_HOME": str(self.path), "PYTHONPATH": str(ROOT / "server"), "LC_ALL": "C.UTF-8"}
        self.env.pop("LOCUM_PASSPHRASE_FD", None)
        self.env["LOCUM_HOOK_RESIDENT"] = "0"  # it would stay for a while after the test

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of `locum`."""
        return [sys.executable, "-m", "locum", *arguments]

    def run(
        self, *arguments: str, stdin: str = "", check: int | None = 0, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `locum` without a terminal and check its exit code."""
        done = subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, text=True, env=self.env | env,
            cwd=cwd or self.project, timeout=60, start_new_session=True,
        )  # fmt: skip
        assert check is None or done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        """Run `locum … --format json` and return what it printed."""
        return json.loads(self.run(*arguments, "--format", "json").stdout)

    def terminal(self, *arguments: str, cwd: Path | None = None, command: Sequence[str] | None = None) -> Terminal:
        """Run `locum` on a person's terminal."""
        return Terminal(command or self.command(*arguments), env=self.env, cwd=cwd or self.project)

    def init(self) -> None:
        """Make a vault that a key file opens."""
        self.run("vault", "init", "--key-file")

    def store(self, name: str, value: str) -> None:
        """Put a value into the vault."""
        self.run("secret", "set", name, "--stdin", stdin=value)

    def everything_written(self) -> bytes:
        """Return the bytes of every file under the home, its key file left out."""
        files = [path for path in self.path.rglob("*") if path.is_file() and path.name != "vault.key"]
        return b"".join(path.read_bytes() for path in files)

    def close(self) -> None:
        """Stop the broker."""
        self.run("broker", "stop", check=None)
