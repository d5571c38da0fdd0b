"""Our own repository is clean for other secret scanners: nobody who works on it is shown an alarm that is none.

What they would take for a secret is put together at run time (`tests/unit/detect/detect_cases.py`: `{_}`).
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.peers import Scanner, locate
from support.bed import ROOT, need_bed
from support.tokens import github_token

SCANNERS = ("gitleaks", "kingfisher", "detect-secrets")


@pytest.fixture(params=SCANNERS)
def scanner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Scanner:
    """Give one scanner with its own rules and defaults."""
    bed = need_bed()
    commands = {"gitleaks": bed.gitleaks, "kingfisher": bed.kingfisher, "detect-secrets": sys.executable}
    if request.param == "detect-secrets":
        monkeypatch.setenv("PYTHONPATH", bed.detect_secrets)
    found = locate(request.param, (commands[request.param],))
    assert found is not None
    return found


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the tracked files as they are now, without what git itself keeps."""
    tree = tmp_path_factory.mktemp("repository")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in filter(None, tracked.split("\0")):
        if (ROOT / path).is_file():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, tree / path)
    return tree


def test_it_finds_nothing_here(scanner: Scanner, repository: Path) -> None:
    assert [f"{found.file}:{found.line} {found.rule}" for found in scanner.scan(repository).findings] == []


def _key() -> str:
    body = "\n".join(secrets.token_urlsafe(48).replace("-", "+").replace("_", "/") for _ in range(12))
    return f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{body}\n-----END RSA {'PRIVATE'} KEY-----\n"


@pytest.mark.parametrize("value", [github_token, _key], ids=["token", "key"])
def test_it_would_find_a_secret(scanner: Scanner, value: Callable[[], str], tmp_path: Path) -> None:
    """That nothing is found says something only of a scanner that looks."""
    (tmp_path / "app.py").write_text(f'TOKEN = """{value()}"""\n')
    assert scanner.scan(tmp_path).findings
