"""How loud a finding is, by how sure it is and where it stands."""

from __future__ import annotations

import pytest

from locum.detect.severity import is_quiet, severity

QUIET = [
    "tests/a.py",
    "test/java/a.kt",
    "pkg/x_test.go",
    "src/a.test.ts",
    "src/a.spec.js",
    "conftest.py",
    "test_a.py",
    "fixtures/key.pem",
    "docs/a.yml",
    "README.md",
    "examples/a.py",
    "my-examples/a.py",
    "src/FooTest.java",
    "package-lock.json",
    "yarn.lock",
    "go.sum",
    "static/a.min.js",
    ".env.example",
    "config.sample.yml",
    "a/__tests__/b.js",
    "node_modules/x/index.js",
    "CHANGELOG",
    "spec/models/a.rb",
    "unit-tests/a.c",
    "src/jvmTest/resources/a.json",
    "docs-site/a.yml",
    "documentation-website/a.xml",
    "storage/conformance/a.go",
]
LOUD = [
    "app.py",
    ".env",
    "src/config.ts",
    "latest/a.py",
    "contest.py",
    "src/attestation/a.go",
    "config/prod.yml",
    "deploy.sh",
    "terraform.tfstate",
    "doctor.py",
    "docker-compose.yml",
    "protest/a.py",
    "manifest.json",
    "notes.txt",
    "a.ipynb",
    "src/demographics/x.py",
]


@pytest.mark.parametrize("path", QUIET)
def test_quiet(path: str) -> None:
    assert is_quiet(path)
    assert severity("certain", "error", path) == "warning"
    assert severity("high", "error", path) == "information"
    assert severity("medium", "error", path) == severity("low", "error", path) == "hint"


@pytest.mark.parametrize("path", ["", *LOUD])
def test_loud(path: str) -> None:
    assert not is_quiet(path)
    assert severity("certain", "error", path) == severity("high", "error", path) == "error"
    assert severity("medium", "error", path) == "warning"
    assert severity("low", "error", path) == "hint"


@pytest.mark.parametrize("path", ["", "tests/a.py"])
def test_a_rule_says_how_loud_it_is_at_most(path: str) -> None:
    assert severity("certain", "information", path) == "information"
    assert severity("low", "information", path) == "hint"
