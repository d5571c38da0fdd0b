"""The sample shop: what is planted is planted, its tasks need the right key, and every secret in it can be moved."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from locum.detect.engine import default_engine
from locum.refs.manifest import parse_manifest
from locum.rewrite.plan import Plan
from locum.rewrite.planner import choose_name, plan
from locum.samples.builder import build_shop
from locum.text.source import SourceText
from support.marked import applied, plan_for, value_of

PLACES = {
    "STRIPE_KEY": "shop.py",
    "GITHUB_TOKEN": "notify.js",
    "DATABASE_PASSWORD": ".env",
    "SENDGRID_KEY": ".env",
    "GITLAB_TOKEN": "mcp.json",
}


def _run(project: Path, *argv: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    keep = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return subprocess.run(argv, cwd=project, env={**keep, **more, "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True)


def _moved(project: Path, planted: dict[str, bytes]) -> dict[str, str]:
    """Move every planted value out of the files; return what a task gets in its environment."""
    environment: dict[str, str] = {}
    for name, file in PLACES.items():
        path = project / file
        text = path.read_text()
        start = text.index(planted[name].decode())
        made = plan_for(text, start, start + len(planted[name]), path=file, name=name)
        assert isinstance(made, Plan), (name, made)
        path.write_text(applied(text, made))
        environment[name] = value_of(made).decode()
    return environment


def test_every_copy_has_secrets_of_its_own_and_no_mark_is_left(tmp_path: Path):
    first, second = build_shop(tmp_path / "a"), build_shop(tmp_path / "b")
    assert set(first) == set(PLACES)
    assert not set(first.values()) & set(second.values())
    for name, file in PLACES.items():
        assert (tmp_path / "a" / file).read_bytes().count(first[name]) == 1
    for path in (tmp_path / "a").iterdir():
        assert not re.search(r"\{\{[A-Z_]+\}\}", path.read_text()), path.name


def test_the_manifest_is_valid_and_names_both_tasks(tmp_path: Path):
    build_shop(tmp_path)
    assert set(parse_manifest((tmp_path / "locum.toml").read_text()).tasks) == {"test", "notify"}


def test_the_tests_pass_with_the_right_key_only(tmp_path: Path):
    planted = build_shop(tmp_path)
    assert _run(tmp_path, sys.executable, "test_shop.py").returncode == 0
    environment = _moved(tmp_path, planted)
    assert _run(tmp_path, sys.executable, "test_shop.py", **environment).returncode == 0
    assert _run(tmp_path, sys.executable, "test_shop.py", STRIPE_KEY="another").returncode != 0
    assert _run(tmp_path, sys.executable, "test_shop.py").stderr.strip().endswith(b"KeyError: 'STRIPE_KEY'")


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here")
def test_the_notifier_runs_before_and_after(tmp_path: Path):
    planted = build_shop(tmp_path)
    before = _run(tmp_path, "node", "notify.js")
    environment = _moved(tmp_path, planted)
    after = _run(tmp_path, "node", "notify.js", **environment)
    assert (before.returncode, after.returncode) == (0, 0)
    assert before.stdout == after.stdout
    assert _run(tmp_path, "node", "notify.js").returncode != 0


def test_no_planted_value_is_left_when_all_are_moved(tmp_path: Path):
    planted = build_shop(tmp_path)
    _moved(tmp_path, planted)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not [name for name, value in planted.items() if value in path.read_bytes()], path.name
    server = json.loads((tmp_path / "mcp.json").read_text())["mcpServers"]["gitlab"]
    assert [server["command"], *server["args"][:5]] == ["locum", "run", "--ttl", "8h", "--", "npx"]


@pytest.mark.parametrize("_copy", range(10))
def test_detection_finds_what_is_planted_and_nothing_else(tmp_path: Path, _copy: int):
    planted = build_shop(tmp_path)
    found: list[bytes] = []
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        for finding in default_engine().scan(data, path=path.name).findings:
            assert finding.confidence in {"certain", "high"}, finding.rule
            found.append(data[finding.start : finding.end])
    assert sorted(found) == sorted(planted.values())


def test_fixing_finding_by_finding_leaves_nothing_to_find(tmp_path: Path):
    build_shop(tmp_path)
    for path in tmp_path.iterdir():
        text, taken = path.read_text(), list[str]()
        while findings := default_engine().scan(text.encode(), path=path.name).findings:
            name = choose_name(findings[0], taken)
            made = plan(SourceText(text), findings[0], path=path.name, language="", name=name)
            text = applied(text, made)
            taken.append(name)
            assert len(taken) < 5, "a fix that leaves its finding would go on for ever"
