"""`locum init agents`: what it keeps from agents, as git reads such files, and what it leaves alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from locum.agents.ignore_files import CLIENTS, READABLE, with_rules
from support.home import Home

HIDDEN = [".env", ".env.local", "app/.env.production", "prod.env", "certs/server.pem", "infra/prod.tfvars", "terraform.tfstate",
          ".netrc", "home/id_ed25519", ".envrc"]  # fmt: skip
SHOWN = [
    *(f".env.{word}" for word in READABLE),
    "app/.env.example",
    "main.py",
    "environment.ts",
    "keys.md",
    "x.tfvars.example",
]
IGNORE = [client for client in CLIENTS.values() if client.kind != "claude"]


def init(home: Home, folder: Path, *options: str, check: int = 0) -> str:
    done = home.run("init", "agents", *options, cwd=folder, check=check)
    return done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("client", IGNORE, ids=lambda client: client.name)
def test_git_reads_it_as_meant(home: Home, project: Path, client: object) -> None:
    assert client in IGNORE
    init(home, project)
    path = project / next(one.path for one in IGNORE if one is client)
    asked = subprocess.run(
        ["git", "-c", f"core.excludesFile={path}", "check-ignore", "--no-index", "--stdin"],
        cwd=project, input="\n".join(HIDDEN + SHOWN), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert sorted(asked.stdout.split()) == sorted(HIDDEN)


def test_claude_code_may_read_examples_only(home: Home, project: Path) -> None:
    settings = project / ".claude/settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"permissions": {"deny": ["WebFetch"], "allow": ["Read(x)"]}, "other": 1}))
    init(home, project, "--client", "claude")
    made = json.loads(settings.read_text())
    assert made["other"] == 1
    assert made["permissions"]["allow"] == ["Read(x)"]
    deny = made["permissions"]["deny"]
    assert {"WebFetch", "Read(**/.env)", "Read(**/.env.local)", "Read(**/*.pem)"} <= set(deny)
    assert not [rule for rule in deny for word in READABLE if word in rule or ".env.*)" in rule]
    assert "already there" in init(home, project, "--client", "claude")
    assert json.loads(settings.read_text()) == made
    assert [path.name for path in project.iterdir() if path.is_file()] == []


def test_what_is_there_stays_and_a_second_time_changes_nothing(home: Home, project: Path) -> None:
    mine = "build/\r\n# mine"
    (project / ".cursorignore").write_bytes(mine.encode())
    init(home, project)
    once = (project / ".cursorignore").read_bytes()
    assert once.startswith(b"build/\r\n# mine\r\n# locum: begin")
    assert b"\n" not in once.replace(b"\r\n", b"")
    init(home, project)
    assert (project / ".cursorignore").read_bytes() == once
    (project / ".cursorignore").write_bytes(once.replace(b".netrc\r\n", b"") + b"more\r\n")
    init(home, project)
    assert (project / ".cursorignore").read_bytes() == once + b"more\r\n"


@pytest.mark.parametrize("text", ["[1]", "{", '{"permissions": []}', '{"permissions": {"deny": "x"}}'])
def test_settings_that_are_not_understood_stop_everything(home: Home, project: Path, text: str) -> None:
    settings = project / ".claude/settings.json"
    settings.parent.mkdir()
    settings.write_text(text)
    assert "permissions.deny" in init(home, project, check=2)
    assert settings.read_text() == text
    assert not (project / ".cursorignore").exists()


def test_a_link_is_not_followed(home: Home, project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("theirs\n")
    (project / ".kiroignore").symlink_to(outside)
    assert "by a link" in init(home, project, check=2)
    assert outside.read_text() == "theirs\n"


def test_an_unknown_client_is_named(home: Home, project: Path) -> None:
    assert "cursor" in init(home, project, "--client", "emacs", check=2)


@pytest.mark.parametrize("client", CLIENTS.values(), ids=lambda client: client.name)
def test_rules_are_written_once(client: object) -> None:
    one = next(known for known in CLIENTS.values() if known is client)
    made = with_rules(one, "")
    assert with_rules(one, made) == made
