"""Our scanner finds nothing in our own repository that locum.toml does not allow with a reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_in_plain_text() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    paths = [path for path in tracked if (ROOT / path).is_file()]
    done = subprocess.run([sys.executable, "-m", "locum", "scan", *paths], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert " locum.toml" in done.stdout
