"""Every test that SECURITY.md names exists: a claim whose proof is gone is a claim no more."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECURITY = (ROOT / "SECURITY.md").read_text("utf-8")


def test_every_named_test_exists() -> None:
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", SECURITY))
    assert len(named) > 20
    assert not {name for name in named if f"def {name}(" not in tests}


def test_every_named_file_exists() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", SECURITY)) | set(re.findall(r"\]\((docs/[\w.-]+)\)", SECURITY))
    assert named
    assert not {name for name in named if not (ROOT / name).is_file()}
