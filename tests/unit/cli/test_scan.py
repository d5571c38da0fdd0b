"""`locum scan` and `locum explain` as a person, a script and CI meet them."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from locum.cli.explain import explain
from locum.cli.scan import scan
from locum.detect.engine import default_engine
from locum.workspace.report import finding_schema
from support.home import Home
from support.tokens import github_token

SCHEMA = Path(__file__).resolve().parents[3] / "schemas" / "finding.schema.json"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "shop"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str]:
    done: Result = CliRunner().invoke(scan, list(arguments), input=stdin, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.output


def report(*arguments: str, stdin: bytes = b"") -> dict[str, Any]:
    return json.loads(run(*arguments, "--format", "json", stdin=stdin)[1])


def test_published_schema_is_the_codes() -> None:
    assert json.loads(SCHEMA.read_text()) == finding_schema(), (
        "run: python -m locum.workspace.report > schemas/finding.schema.json"
    )


def test_json_is_what_the_schema_says_and_points_at_the_value(project: Path) -> None:
    token = github_token()
    line = f'größe = "🦊"; key = "{token}"\n'
    (project / "sub").mkdir()
    files = {"a.py": line.encode(), "sub/bom.txt": b"\xef\xbb\xbf" + line.encode(), "sub/utf16.txt": ("\ufeff" + line).encode("utf-16-le"),
             "sub/latin.ini": f"name = Gr\xfc\xdfe\nkey = {token}\n".encode("latin-1")}  # fmt: skip
    for name, data in files.items():
        (project / name).write_bytes(data)
    found = report()
    assert [item["path"] for item in found["findings"]] == sorted(files)
    for item in found["findings"]:
        jsonschema.validate(item, finding_schema())
        encoding = "utf-16-le" if "utf16" in item["path"] else "utf-8"
        start, end = item["bytes"]
        assert files[item["path"]][start:end].decode(encoding) == token
        assert (item["rule"], item["confidence"], item["origin"]) == ("github-pat", "certain", "disk")
    first = found["findings"][0]["range"]
    assert first["start"] == {"line": 0, "character": len('größe = "xx"; key = "')}, "a fox is two UTF-16 units"
    assert first["end"]["character"] - first["start"]["character"] == len(token)


@pytest.mark.parametrize("format_", ["text", "json"])
def test_no_value_is_shown(project: Path, format_: str) -> None:
    token = github_token()
    (project / "a.py").write_text(f'password = "{token[10:30]}"\n"{token}": "{token[4:]}"\n')
    code, text = run("--format", format_)
    assert code == 1
    assert not any(token[start : start + 6] in text for start in range(4, len(token) - 6))
    assert "github-pat" in text


def test_exit_codes(project: Path) -> None:
    assert run() == (0, "No secrets in plain text; 0 files scanned.\n")
    (project / "a.env").write_text(f"DB_PASSWORD={random.Random(1).randrange(10**9)}aB!x\n")
    assert run()[0] == 1
    assert run("--fail-on", "error")[0] == 0, "the generic rule warns"
    assert run("--fail-on", "warning")[0] == 1
    assert run("--exit-zero")[0] == 0
    (project / "b.py").write_text(f'"{github_token()}"')
    assert run("--fail-on", "error")[0] == 1


def test_usage_problems_are_2(home: Home) -> None:
    for arguments in (
        ["nope.py"],
        ["--format", "xml"],
        ["--stdin", "a.py"],
        ["--stdin-filename", "a"],
        ["-o", "no/such/folder/x"],
        ["--fail-on", "x"],
    ):
        done = home.run("scan", *arguments, check=2)
        assert done.stderr.strip()
        assert "Traceback" not in done.stderr
    (home.project / "locum.toml").write_text("[scam]\n")
    (home.project / "a.py").write_text("x = 1\n")
    assert "scam" in home.run("scan", check=2).stderr


def test_stdin_is_the_same_as_the_file(project: Path) -> None:
    data = f'key = "{github_token()}"\n'.encode()
    (project / "a.py").write_bytes(data)
    assert report("--stdin", "--stdin-filename", "a.py", stdin=data)["findings"] == report("a.py")["findings"]
    assert report("--stdin", stdin=data)["findings"][0]["path"] == "stdin"


def test_fingerprints_do_not_depend_on_where_it_is_called(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "locum.toml").write_text('[project]\nid = "shop"\n')
    (project / "src").mkdir()
    name = "password"  # apart from its value: no scanner finds one here
    (project / "src" / "a.py").write_text(f'key = "{github_token()}"\n{name} = "aB3!xyz9"\n')

    def prints(found: dict[str, Any]) -> list[str]:
        return [item["fingerprint"] for item in found["findings"]]

    here = report()
    monkeypatch.chdir(project / "src")
    there = report("a.py")
    assert prints(here) == prints(there)
    assert len(prints(here)) == 2
    assert (here["findings"][0]["path"], there["findings"][0]["path"]) == ("src/a.py", "a.py")
    text = (project / "src" / "a.py").read_bytes()
    engine = default_engine().scan(text, path="src/a.py", project="shop")
    assert [finding.fingerprint for finding in engine.findings] == prints(here), "the editor asks the engine so"


def test_output_file_and_order(project: Path) -> None:
    for name in ("b.py", "a.py", "c/d.py"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(f'"{github_token()}"\n"{github_token()}"\n')
    assert run("--format", "json", "-o", "out.json") == (1, "")
    first = json.loads((project / "out.json").read_text())
    (project / "out.json").unlink()
    assert report("c", "b.py")["findings"] == [first["findings"][number] for number in (4, 5, 2, 3)], (
        "as they were asked for"
    )
    assert [item["path"] for item in first["findings"]] == ["a.py", "a.py", "b.py", "b.py", "c/d.py", "c/d.py"]
    assert first["summary"]["findings"] == 6
    assert first["summary"]["by_severity"] == {"error": 6, "warning": 0, "information": 0, "hint": 0}
    assert [item["path"] for item in report(".", "a.py", "./c/../a.py")["findings"]] == [
        item["path"] for item in first["findings"]
    ], "each file once"


def test_summary_says_what_was_left_out(project: Path) -> None:
    (project / "big.txt").write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    (project / "image.png").write_bytes(b"\x89PNG\0\0")
    (project / "ok.py").write_text(f'"{github_token()}"  # locum:allow\n')
    found = report()
    assert found["findings"] == []
    assert found["summary"]["suppressed"] == {"locum:allow": 1}
    assert found["summary"]["skipped"] == [
        {"path": "big.txt", "reason": "too big"},
        {"path": "image.png", "reason": "binary"},
    ]
    text = run()[1]
    assert "big.txt is too big" in text
    assert "1 binary file passed over" in text
    assert "\n1 suppressed: 1 locum:allow" in text


def test_the_manifest_excludes_and_allows(project: Path) -> None:
    for name in ("a.py", "docs/a.md", "tests/fixtures/x.py", "tests/old.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(f'"{github_token()}"\n')
    (project / "locum.toml").write_text(
        '[scan]\nexclude = ["tests/fixtures/**"]\n'
        '[[scan.allow]]\nrule = "github-pat"\npath = "docs/**"\nreason = "samples"\n'
        '[[scan.allow]]\nrule = "github-pat"\npath = "tests/**"\nreason = "old"\nexpires = 2020-01-01\n'
        '[[scan.allow]]\nrule = "npm-access-token"\npath = "a.py"\nreason = "another rule"\n'
    )
    found = report()
    assert [item["path"] for item in found["findings"]] == ["a.py", "tests/old.py"]
    assert found["summary"]["allowed"] == 1
    assert report("tests")["findings"][0]["path"] == "tests/old.py", "the same from below"


def test_text_report_is_plain_without_a_terminal(project: Path) -> None:
    (project / "a.py").write_text(f'x = 1\nkey = "{github_token()}"\n')
    text = run()[1]
    assert "\x1b" not in text
    assert "a.py\n  2:8 " in text
    assert "locum explain github-pat" in text
    assert "locum fix " in text


@pytest.mark.skipif(os.name != "posix", reason="such names are not possible there")
def test_a_file_name_does_not_steer_the_terminal(project: Path) -> None:
    (project / "a\x1b[2Jb.py").write_text(f'"{github_token()}"\n')
    assert "\x1b" not in run()[1]


@pytest.mark.parametrize("rule", ["github-pat", "generic-secret", "url-password"])
def test_explain(rule: str) -> None:
    done = CliRunner().invoke(explain, [rule])
    assert done.exit_code == 0
    assert default_engine().rules[rule].title in done.output
    assert default_engine().rules[rule].url in done.output
    assert json.loads(CliRunner().invoke(explain, [rule, "--format", "json"]).output)["rule"] == rule


def test_explain_knows_the_nearest(home: Home) -> None:
    done = home.run("explain", "gihtub-pat", check=2)
    assert "Did you mean github-pat?" in done.stderr
    assert home.run("explain", "\x1b[2J", check=2).stderr.count("\x1b") == 0
