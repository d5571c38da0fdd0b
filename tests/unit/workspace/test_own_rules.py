"""Rules of one's own from their files to findings, and what is said when something is wrong with them."""

from __future__ import annotations

import importlib.util
import random
import string
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from locum.cli.explain import explain
from locum.detect.engine import default_engine
from locum.errors import LocumError, UsageProblem
from locum.lsp.remarks import about_manifest, about_rules
from locum.paths import user_paths
from locum.refs.manifest import ManifestProblem, parse_manifest
from locum.workspace.own_rules import problems
from locum.workspace.project import Project
from locum.workspace.scanner import FileReport, Scanner

SOURCE = random.Random(5)
RULE = """\
[[scan.rule]]
id = "acme"
title = "Acme token"
regex = '''\\bacme_([a-z0-9]{24})\\b'''
keywords = ["acme_"]
"""
GITLEAKS = """\
title = "ours"
[extend]
useDefault = true
[allowlist]
paths = ['''^gen/''']
[[allowlists]]
targetRules = ["Corp Key"]
stopwords = ["k0k0"]
[[rules]]
id = "Corp Key"
description = "Corp key"
regex = '''(?i)(corp)[ ]?=[ ]?"([a-z0-9]{24})"'''
secretGroup = 2
entropy = 2.5
keywords = ["CORP"]
tags = ["x"]
[rules.allowlist]
regexTarget = "line"
regexes = ['''# fake''']
[[rules]]
id = "just_a_path"
path = '''\\.p12$'''
[[rules]]
id = "helper"
regex = "a+"
skipReport = true
"""


def value() -> str:
    return "".join(SOURCE.choices(string.ascii_lowercase + string.digits, k=24))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "shop"
    place.mkdir()
    return place


def found(root: Path, text: str, name: str = "a.py", scanner: Scanner | None = None) -> list[str]:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text)
    report = (scanner or Scanner()).scan_file(root / name)
    assert isinstance(report, FileReport)
    return [finding.rule for finding in report.findings]


def user_file(text: str) -> Path:
    path = user_paths().config / "rules.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_of_the_manifest_in_this_project_alone(root: Path, tmp_path: Path) -> None:
    (root / "locum.toml").write_text(RULE)
    other = tmp_path / "other"
    other.mkdir()
    text = f"f(acme_{value()})\n"
    scanner = Scanner()
    assert found(root, text, scanner=scanner) == ["own-acme"]
    assert found(other, text, scanner=scanner) == []
    assert scanner.rules(other / "a.py") == default_engine().rules
    assert scanner.rules(root / "a.py")["own-acme"].title == "Acme token"


def test_allowances_and_paths_go_with_them(root: Path) -> None:
    (root / "locum.toml").write_text(
        RULE + 'path = "src/**"\n[[scan.allow]]\nrule = "own-acme"\npath = "src/b.py"\nreason = "old"\n'
    )
    text = f"f(acme_{value()})\n"
    assert [found(root, text, name) for name in ("a.py", "src/a.py", "src/b.py")] == [[], ["own-acme"], []]


def test_the_same_rules_make_one_engine_and_new_ones_another(root: Path) -> None:
    text = f"f(acme_{value()})\nf(corp_{value()})\n"
    (root / "locum.toml").write_text(RULE)
    one, two = Scanner(), Scanner()
    for scanner in (one, two):
        assert found(root, text, scanner=scanner) == ["own-acme"]
    assert one._rules(root / "a").engine is two._rules(root / "a").engine
    (root / "locum.toml").write_text(RULE.replace("acme_", "corp_"))
    two.forget()
    assert found(root, text, scanner=two) == ["own-acme"]
    assert one._rules(root / "a").engine is not two._rules(root / "a").engine


def test_of_the_user_in_every_project(root: Path) -> None:
    user_file(RULE.replace("scan.rule", "rule"))
    (root / "locum.toml").write_text(RULE.replace("acme_", "corp_"))
    assert found(root, f"f(acme_{value()})\nf(corp_{value()})\n") == ["user-acme", "own-acme"]


def test_of_gitleaks(root: Path) -> None:
    (root / "locum.toml").write_text('[scan]\nrules = ["ci/gitleaks.toml"]\n')
    (root / "ci").mkdir()
    (root / "ci" / "gitleaks.toml").write_text(GITLEAKS)
    line = f'corp = "{value()}"'
    assert found(root, line + "\n") == ["own-corp-key"]
    assert found(root, line + "\n", "gen/a.py") == []
    assert found(root, line + "  # fake\n") == []
    assert found(root, f'corp = "{value()[:20]}k0k0"\n') == []
    assert found(root, 'corp = "' + "ab" * 12 + '"\n') == []


def wrong_manifests() -> list[tuple[str, str]]:
    return [
        (RULE.replace("\\bacme_", "(?=a)acme_"), "(?="),
        (RULE + RULE, "two rules 'acme'"),
        (RULE + "secret_group = 2\n", "no group 2"),
        (RULE.replace("acme_([", "a" * 10_001 + "(["), "over 10000 characters"),
        ('[scan]\nrules = ["none.toml"]\n', "is no file here"),
        ('[scan]\nrules = ["../gitleaks.toml"]\n', "not inside the project"),
        ('[scan]\nrules = ["link.toml"]\n', "not inside the project"),
        ('[scan]\nrules = ["broken.toml"]\n', "not valid TOML (line 1)"),
        ('[scan]\nrules = ["extends.toml"]\n', "not followed"),
        ('[scan]\nrules = ["regex.toml"]\n', "'regex.toml', rule 'x'"),
        ('[scan]\nrules = ["type.toml"]\n', "'x': entropy is a number"),
        ('[scan]\nrules = ["many.toml"]\n', "1001 rules"),
    ]


@pytest.mark.parametrize(("manifest", "said"), wrong_manifests(), ids=[said for _, said in wrong_manifests()])
def test_what_is_wrong_is_said_by_the_command_and_the_editor(root: Path, manifest: str, said: str) -> None:
    files = {
        "../gitleaks.toml": GITLEAKS,
        "broken.toml": "a = \n",
        "extends.toml": '[extend]\npath = "b.toml"\n',
        "regex.toml": "[[rules]]\nid = 'x'\nregex = '(?=a)'\n",
        "type.toml": "[[rules]]\nid = 'x'\nregex = 'a'\nentropy = '3'\n",
        "many.toml": "".join(f"[[rules]]\nid = 'x{number}'\nregex = 'aaa'\n" for number in range(1001)),
    }
    for name, text in files.items():
        (root / name).write_text(text)
    (root / "link.toml").symlink_to(root.parent / "gitleaks.toml")
    (root / "locum.toml").write_text(manifest)
    with pytest.raises(UsageProblem) as told:
        found(root, "x\n")
    assert said in told.value.explain()
    assert (told.value.exit_code, told.value.code) == (2, "manifest.bad")
    remarks = list(about_rules(manifest, Project(root)))
    assert [said in remark.message for remark in remarks] == [True]
    assert manifest[remarks[0].start : remarks[0].end].strip()
    assert (remarks[0].start, remarks[0].end) != (0, len(manifest)), "it says where"

    left_out: list[LocumError] = []
    token = f"f(acme_{value()})\n"
    scanner = Scanner(without_rules=left_out.append)
    assert found(root, token, scanner=scanner) == [], "the editor goes on without"
    assert [said in problem.explain() for problem in left_out] == [True]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("id = 'A_b'", "small letters"), ("id = 'x'", "needs a regex"), ("id = 'x'\nregexp = 'a'", "did you mean regex?"),
        ("id = 'x'\nregex = 'a'\nkeywords = 'a'", "keywords is a list"), ("id = 'x'\nregex = 'a'\nseverity = 'bad'", "severity is one of"),
        ("id = 'x'\nregex = 'a'\nconfidence = 'sure'", "confidence is one of"), ("id = 'x'\nregex = 'a'\nentropy = 9", "entropy"),
        ("id = 'x'\nregex = 'a'\nsecret_group = -1", "secret_group"),
    ],
)  # fmt: skip
def test_a_rule_that_says_nothing_is_refused(root: Path, line: str, said: str) -> None:
    with pytest.raises(ManifestProblem, match=said):
        parse_manifest(f"[[scan.rule]]\n{line}\n")
    assert any(said in remark.message for remark in about_manifest(f"[[scan.rule]]\n{line}\n", date(2026, 1, 1)))
    path = user_file(f"[[rule]]\n{line}\n")
    with pytest.raises(UsageProblem, match=said) as told:
        found(root, "x\n")
    assert str(path) in told.value.message
    assert "locum.toml" not in told.value.message


def test_a_broken_file_of_the_users_leaves_the_projects_rules(root: Path) -> None:
    user_file("[[rule]]\nid = 'x'\nregex = '('\n")
    (root / "locum.toml").write_text(RULE)
    left_out: list[LocumError] = []
    assert found(root, f"f(acme_{value()})\n", scanner=Scanner(without_rules=left_out.append)) == ["own-acme"]
    assert ["rules.toml: rule 'x'" in problem.message for problem in left_out] == [True]


def test_without_re2_the_remedy_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr("locum.text.linear.find_spec", lambda name: None if name == "re2" else real(name))
    (root / "locum.toml").write_text(RULE.replace("acme", "other"))
    with pytest.raises(UsageProblem) as told:
        found(root, "x\n")
    assert "locum.toml" in told.value.message
    assert "'other'" in told.value.message
    assert "pip install 'locum[re2]'" in told.value.hint
    assert told.value.exit_code == 2
    manifest = parse_manifest((root / "locum.toml").read_text())
    assert len(list(problems(Project(root), manifest))) == 1
    (root / "locum.toml").write_text("")
    assert found(root, "x\n") == [], "who has no rules of their own needs no RE2"


def test_explained(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "locum.toml").write_text(RULE + 'explanation = "Ask Ada."\n')
    monkeypatch.chdir(root)
    done = CliRunner().invoke(explain, ["own-acme"], standalone_mode=False)
    assert "own-acme: Acme token" in done.output
    assert "Ask Ada." in done.output
