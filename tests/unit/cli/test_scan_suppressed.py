"""What a scan leaves out is counted, can be shown, and returns when it ends or its value changes."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from locum.cli.scan import scan
from locum.detect.fingerprint import value_fingerprint
from locum.refs.manifest import ManifestProblem
from locum.text.source import SourceText
from locum.workspace.report import count_suppressed, suppressed_line
from locum.workspace.scanner import Scanner
from locum.workspace.walk import Skipped
from support.tokens import github_token

TODAY = date(2026, 6, 15)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str]:
    done = CliRunner().invoke(scan, list(arguments), input=stdin, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.output


def report(*arguments: str, stdin: bytes = b"") -> dict[str, Any]:
    return json.loads(run(*arguments, "--format", "json", stdin=stdin)[1])


def test_counts_by_mechanism_are_printed(project: Path) -> None:
    lines = [
        f'a{number} = "{github_token()}"  # {marker}'
        for number, marker in enumerate(["gitleaks:allow"] * 3 + ["ggignore"] * 2 + ["locum:allow"] * 2)
    ]
    (project / "a.py").write_text("\n".join(lines) + "\n")
    (project / "b.py").write_text(f'b = "{github_token()}"\n' * 3)
    (project / "locum.toml").write_text('[[scan.allow]]\npath = "/b.py"\nreason = "samples"\n')
    code, text = run()
    assert code == 0
    assert "\n10 suppressed: 3 gitleaks:allow, 3 locum.toml, 2 ggignore, 2 locum:allow\n" in "\n" + text
    summary = report()["summary"]
    assert summary["suppressed"] == {"gitleaks:allow": 3, "locum.toml": 3, "ggignore": 2, "locum:allow": 2}
    assert (summary["suppressed_total"], summary["allowed"], summary["findings"]) == (10, 3, 0)
    code, text = run("--no-ignore")
    assert code == 1
    assert "suppressed" not in text
    shown = report("--no-ignore")
    assert len(shown["findings"]) == 10
    assert shown["summary"]["suppressed"] == {}


def test_nothing_suppressed_is_said_by_an_empty_count(project: Path) -> None:
    (project / "a.py").write_text("x = 1\n")
    assert report()["summary"]["suppressed"] == {}
    assert "suppressed" not in run()[1]
    assert suppressed_line(count_suppressed([])) == ""


def test_no_ignore_reads_what_is_excluded(project: Path) -> None:
    (project / "fixtures").mkdir()
    (project / "fixtures" / "a.py").write_text(f'"{github_token()}"\n')
    (project / "locum.toml").write_text('[scan]\nexclude = ["fixtures/**"]\n')
    assert report()["findings"] == []
    assert [item["path"] for item in report("--no-ignore")["findings"]] == ["fixtures/a.py"]


def test_stdin_is_asked_alike(project: Path) -> None:
    data = f'a = "{github_token()}"  # trufflehog:ignore\n'.encode()
    assert run("--stdin", stdin=data)[0] == 0
    assert report("--stdin", stdin=data)["summary"]["suppressed"] == {"trufflehog:ignore": 1}
    assert run("--stdin", "--no-ignore", stdin=data)[0] == 1
    assert (project / "stdin").exists() is False


def test_hints_do_not_fail_unless_asked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from locum.detect.engine import Engine

    real = Engine.scan

    def as_hints(self: Engine, *arguments: Any, **options: Any) -> Any:
        result = real(self, *arguments, **options)
        return replace(
            result, findings=tuple(replace(found, severity="hint", confidence="low") for found in result.findings)
        )

    (project / "a.py").write_text(f'"{github_token()}"\n')
    assert run()[0] == 1
    monkeypatch.setattr(Engine, "scan", as_hints)
    code, text = run()
    assert code == 0
    assert "hint" in text, "shown all the same"
    assert run("--fail-on", "hint")[0] == 1
    assert run("--fail-on", "information")[0] == 0


def scanned(path: Path, day: date = TODAY) -> tuple[int, list[str]]:
    found = Scanner(today=day).scan_file(path)
    assert not isinstance(found, Skipped)
    return len(found.findings), [silenced.mechanism for silenced in found.suppressed]


@pytest.mark.parametrize("key", ["value", "fingerprint"])
def test_a_rotated_value_is_a_finding_again(project: Path, key: str) -> None:
    token = github_token()
    path = project / "a.json"
    path.write_text(json.dumps({"token": token}))
    (project / "locum.toml").write_text('[project]\nid = "shop"\n')
    (finding,) = report()["findings"]
    name = finding["fingerprint"] if key == "fingerprint" else value_fingerprint("shop", token.encode())
    (project / "locum.toml").write_text(
        f'[project]\nid = "shop"\n[[scan.allow]]\n{key} = "{name}"\nreason = "a sample"\n'
    )
    assert scanned(path) == (0, ["locum.toml"])
    path.write_text("\n\n" * 50 + json.dumps({"other": 1, "token": token}))
    assert scanned(path) == (0, ["locum.toml"]), "wherever it stands"
    (project / "b.json").write_text(json.dumps({"key": token}))
    assert scanned(project / "b.json")[0] == (0 if key == "value" else 1), "a fingerprint is of one file"
    path.write_text(json.dumps({"token": github_token()}))
    assert scanned(path) == (1, [])


def test_a_value_that_could_be_guessed_has_no_name() -> None:
    assert value_fingerprint("p", b"hunter2") == ""
    assert value_fingerprint("p", b"") == ""
    token = github_token().encode()
    assert len(value_fingerprint("p", token)) == 32
    assert value_fingerprint("p", token) != value_fingerprint("q", token), "another project's name says nothing"


def test_what_is_said_together_holds_together(project: Path) -> None:
    (project / "docs").mkdir()
    for name in ("docs/a.md", "a.md"):
        (project / name).write_text(f"use {github_token()}\n")
    manifest = project / "locum.toml"
    for said, silent in [('rule = "github-pat"\npath = "docs/**"', (1, 0)), ('rule = "npm-access-token"\npath = "docs/**"', (0, 0)),
                         ('rule = "github-pat"', (1, 1)), ('path = "*.md"', (1, 1)), (f'path = "*.md"\nfingerprint = "{"0" * 32}"', (0, 0))]:  # fmt: skip
        manifest.write_text(f'[[scan.allow]]\n{said}\nreason = "x"\n')
        assert tuple(len(scanned(project / name)[1]) for name in ("docs/a.md", "a.md")) == silent, said


def test_what_ends_returns(project: Path) -> None:
    path = project / "a.py"
    path.write_text(f'a = "{github_token()}"\nb = "{github_token()}"  # locum:allow until={TODAY}\n')
    (project / "locum.toml").write_text(
        f'[[scan.allow]]\nrule = "github-pat"\npath = "a.py"\nreason = "x"\nexpires = {TODAY}\n'
    )
    assert scanned(path) == (0, ["locum.toml", "locum:allow"])
    assert scanned(path, TODAY + timedelta(1)) == (2, [])


def test_a_scanner_that_lives_on_notices_the_next_day(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from locum.workspace import scanner as module

    days = [TODAY]

    class Calendar(date):
        @classmethod
        def today(cls) -> date:
            return days[0]

    monkeypatch.setattr(module, "date", Calendar)
    text = SourceText(f'b = "{github_token()}"  # locum:allow until={TODAY}\n')
    living = Scanner()
    assert living.scan_text(text, project / "a.py").findings == ()
    days[0] += timedelta(1)
    assert len(living.scan_text(text, project / "a.py").findings) == 1


def test_unknown_keys_are_loud(project: Path) -> None:
    (project / "a.py").write_text("x = 1\n")
    (project / "locum.toml").write_text('[[scan.allow]]\nruel = "x"\nreason = "y"\n')
    with pytest.raises(ManifestProblem) as caught:
        run()
    assert caught.value.exit_code == 2
    assert "did you mean rule?" in caught.value.explain()
