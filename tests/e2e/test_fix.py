"""`locum fix` and `locum check` as a person and a script meet them. (What they do to whole workspaces: test_fix_workspace.)"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.home import Home
from support.tokens import github_token


@pytest.fixture
def scene(vault_home: Home) -> tuple[Home, str]:
    """A project with one value in two files and a secret that cannot move."""
    token = github_token()
    (vault_home.project / "app.py").write_text(f'TOKEN = "{token}"\n')
    (vault_home.project / "web.js").write_text(f"// {github_token()}\nconst token = '{token}';\n")
    (vault_home.project / "key.go").write_text(f'package a\n\nconst (\n\tkey = "{github_token()}"\n)\n')
    return vault_home, token


def texts(home: Home) -> dict[str, str]:
    return {path.name: path.read_text() for path in home.project.iterdir() if path.is_file()}


def stored(home: Home) -> list[str]:
    return [item["name"] for item in home.json("secret", "list")["secrets"]]


def test_a_dry_run_shows_every_line_and_no_value_and_writes_nothing(scene: tuple[Home, str]) -> None:
    home, token = scene
    before = texts(home)
    done = home.run("fix", "--dry-run", check=1)
    assert '-TOKEN = "•••"' in done.stdout
    assert '+TOKEN = os.environ["GITHUB_TOKEN"]' in done.stdout
    assert "stays: key.go:4:9 GitHub personal access token" in done.stdout
    assert "3 secrets can move, 1 must stay:" in done.stdout
    assert "  app.py, web.js: Run it under 'locum run --secret GITHUB_TOKEN -- …'" in done.stdout
    assert "Without --dry-run it asks" in done.stdout
    for text in before.values():
        for word in text.split('"') + text.split("'") + text.split():
            if len(word) > 30:
                assert word not in done.stdout
    assert token[4:16] not in done.stdout
    assert texts(home) == before
    assert stored(home) == []


def test_without_a_terminal_somebody_must_have_said_all(scene: tuple[Home, str]) -> None:
    home, _ = scene
    before = texts(home)
    assert "say --all" in home.run("fix", check=2).stderr
    assert "exclude each other" in home.run("fix", "--all", "--dry-run", check=2).stderr
    assert texts(home) == before


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("\n", 1), ("y\n", 1)])
def test_on_a_terminal_it_shows_and_asks(scene: tuple[Home, str], answer: str, code: int) -> None:
    home, token = scene
    before = texts(home)
    terminal = home.terminal("fix")
    terminal.wait_for("Move 3 secrets into your vault?")
    terminal.type(answer)
    assert terminal.wait() == code, "what must stay stays, whatever the answer"
    assert token[4:16] not in terminal.text
    assert terminal.text.count("key.go:4:9") == 1, "what stays was said once, before the question"
    assert ("'locum run --secret GITHUB_TOKEN -- …'" in terminal.text) is (answer == "y\n"), "what to do next is said"
    assert (texts(home) == before) is (answer != "y\n")
    assert len(stored(home)) == (2 if answer == "y\n" else 0)


def test_all_then_nothing_is_left_but_what_must_stay(scene: tuple[Home, str]) -> None:
    home, token = scene
    first = json.loads(home.run("fix", "--all", "--format", "json", check=1).stdout)
    assert first["summary"] == {"moved": 3, "left": 1}
    assert {item["path"]: item["name"] for item in first["moved"] if item["path"] == "app.py"} == {
        "app.py": "GITHUB_TOKEN"
    }
    (left,) = first["left"]
    assert left["path"] == "key.go"
    assert "Go constant" in left["reason"]
    assert left["range"]["start"]["line"] == 3
    assert token not in json.dumps(first)
    second = json.loads(home.run("fix", "--all", "--format", "json", check=1).stdout)
    assert second["summary"] == {"moved": 0, "left": 1}
    (home.project / "key.go").unlink()
    assert home.run("fix", "--all").stdout == "No secrets in plain text.\n"
    assert home.run("scan").returncode == 0


def test_only_some_rules_and_only_some_paths(scene: tuple[Home, str]) -> None:
    home, _ = scene
    assert home.run("fix", "--all", "--rule", "slack-token").stdout == "No secrets in plain text.\n"
    home.run("fix", "--all", "app.py")
    assert "os.environ" in texts(home)["app.py"]
    assert "process.env" not in texts(home)["web.js"]
    assert "there is no nowhere" in home.run("fix", "--all", "nowhere", check=2).stderr


def test_what_is_quiet_is_left_to_a_person(vault_home: Home) -> None:
    """Tests and documents hold examples: what would not fail a scan is moved only when asked for; it is told of."""
    (vault_home.project / "notes.md").write_text(f"The token: {github_token()}\n")
    said = vault_home.run("fix", "--all", "--level", "error").stdout
    assert said == "Nothing to fix. 1 finding of a lower level is left out: --level warning takes it too.\n"
    (vault_home.project / "notes.md").unlink()
    folder = vault_home.project / "tests"
    folder.mkdir()
    text = f'TOKEN = "{github_token()}"\n'
    (folder / "test_a.py").write_text(text)
    levels = {
        item["severity"]
        for item in json.loads(vault_home.run("scan", "--format", "json", check=None).stdout)["findings"]
    }
    said = vault_home.run("fix", "--all", check=None).stdout
    moved = (folder / "test_a.py").read_text() != text
    assert ("1 finding of a lower level is left out: --level " in said) is not moved
    assert moved is bool(levels & {"error", "warning"})
    vault_home.run("fix", "--all", "--level", "hint")
    assert (folder / "test_a.py").read_text() != text


def test_terraform_declares_a_variable_once_a_folder(vault_home: Home) -> None:
    """All files of a folder are one configuration: a second declaration would be an error."""
    token, project = github_token(), vault_home.project
    for name in ("a.tf", "b.tf"):
        (project / name).write_text(f'provider "{name[0]}" {{\n  token = "{token}"\n}}\n')
    (project / "other").mkdir()
    (project / "other" / "c.tf").write_text(f'provider "c" {{\n  token = "{token}"\n}}\n')
    vault_home.run("fix", "--all")
    written = {path.name: path.read_text() for path in project.rglob("*.tf")}
    (name,) = stored(vault_home)
    assert all(f"token = var.{name.lower()}" in text for text in written.values())
    assert written["a.tf"].count("variable ") + written["b.tf"].count("variable ") == 1
    assert written["c.tf"].count("variable ") == 1


def test_check_says_what_is_missing_unused_and_undeclared(vault_home: Home) -> None:
    project = vault_home.project
    (project / "locum.toml").write_text(
        '[secrets.HAVE]\n[secrets.LACK]\ndescription = "Of a shop"\ndocs = "https://shop.example/keys"\n'
        '[secrets.OLD]\n[secrets.THEIRS]\nsource = "op://a/b/c"\n'
        '[tasks.t]\ncommand = ["true"]\nsecrets = ["LACK", "THEIRS"]\n'
    )
    (project / ".env").write_text("A=locum://HAVE\nB=locum://LACKS\n")
    vault_home.store("HAVE", "something")
    vault_home.store("OLD", "something else")
    report = json.loads(vault_home.run("check", "--format", "json", check=1).stdout)
    assert {item["name"]: item["state"] for item in report["secrets"]} == {
        "HAVE": "ok", "LACK": "missing", "OLD": "ok", "THEIRS": "elsewhere",
    }  # fmt: skip
    assert report["missing"] == ["LACK"]
    assert report["unused"] == ["OLD"]
    assert report["undeclared"] == [{"name": "LACKS", "nearest": "LACK", "files": [".env"]}]
    text = vault_home.run("check", check=1).stdout
    assert "https://shop.example/keys" in text
    assert "locum secret set LACK" in text
    assert "did you mean LACK?" in text
    assert "something" not in text
    vault_home.store("LACK", "and another")
    (project / ".env").write_text("A=locum://HAVE\n")
    assert "You have all" in vault_home.run("check").stdout


def test_check_without_a_vault_or_a_manifest(home: Home) -> None:
    assert "declares no secrets" in home.run("check").stdout
    Path(home.project / "locum.toml").write_text("[secrets.A]\n")
    assert "MISSING" in home.run("check", check=1).stdout


def test_where_nothing_could_be_written_there_is_no_new_manifest_either(vault_home: Home) -> None:
    file = vault_home.project / "a.py"
    file.write_text(f'TOKEN = "{github_token()}"\n')
    os.link(file, vault_home.project / "b.py")
    before = texts(vault_home)
    assert "has other names (hard links)" in vault_home.run("fix", "--all", check=1).stdout
    assert texts(vault_home) == before
    assert stored(vault_home) == []
