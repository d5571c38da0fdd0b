"""The real AI clients for tests: their programs on PATH, and Locum's hooks in a home of a test's own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bed.install import bed_root
from support.bed import ROOT, need_bed
from support.codex_trust import trust

REAL = ("claude", "codex", "gemini", "opencode")

_EVENTS = {
    "claude": ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "SessionEnd"),
    "codex": ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse"),
}
_FILES = {"claude": ".claude/settings.json", "codex": ".codex/hooks.json"}


class Bench:
    """A home and a project of a person who uses AI clients. Not under the system's temporary folder: Codex wants none there."""

    def __init__(self, root: Path) -> None:
        bed = need_bed()
        self.home, self.project, self.tmp, programs = (root / name for name in ("home", "project", "tmp", "bin"))
        for folder in (self.home, self.project, self.tmp, programs):
            folder.mkdir()
        for name in REAL:
            (programs / name).symlink_to(getattr(bed, name))
        (programs / "node").symlink_to(bed.node24)
        locum = programs / "locum"
        locum.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT / "server"}" exec "{sys.executable}" -m locum "$@"\n')
        locum.chmod(0o755)
        self.path = f"{programs}:/usr/bin:/bin"
        self.variables = {
            "PATH": self.path, "HOME": str(self.home), "TMPDIR": str(self.tmp), "LANG": "C.UTF-8",
            "LOCUM_HOME": str(self.home / ".locum"),
        }  # fmt: skip
        self.locum = str(locum)

    def hooks(self, client: str, line: str = "", **more: Any) -> None:
        """Install Locum for a client; or, with `line`, write hooks by hand that run it for each event (Claude Code, Codex)."""
        if client == "opencode":
            # Left to itself it asks before it reads a .env file, and where nobody answers it ends.
            self._write(
                ".config/opencode/opencode.json", '{"permission": {"read": "allow", "external_directory": "allow"}}'
            )
        if line:
            entry = {"type": "command", "command": line, **more}
            made = {"hooks": {event: [{"matcher": "*", "hooks": [entry]}] for event in _EVENTS[client]}}
            self._write(_FILES[client], json.dumps(made))
        else:
            done = subprocess.run(
                [self.locum, "agent", "install", client, "--scope", "user", "--yes"], cwd=self.project, env=self.variables,
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
        if client == "codex":
            trust(need_bed().codex, self.home, self.project, self.variables)

    def _write(self, name: str, text: str) -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@contextmanager
def bench() -> Iterator[Bench]:
    """Give a bench that is gone afterwards."""
    bed_root().mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="run-", dir=bed_root()))
    try:
        yield Bench(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
