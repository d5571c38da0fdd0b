"""Markers that people already write are honoured, in every comment syntax; lookalikes are not."""

from __future__ import annotations

import random

import pytest
from detect_cases import characters, github_body

from locum.detect.engine import Engine
from locum.detect.pack import Pack

PACK = Pack.built_in()
ENGINES = [Engine(PACK, "ahocorasick"), Engine(PACK, "trie")]
SOURCE = random.Random(11)
SAME = [
    "locum:allow", "gitleaks:allow", "betterleaks:allow", "trufflehog:ignore", "kingfisher:ignore", "pragma: allowlist secret", "pragma:allowlist secret",
    "pragma: whitelist secret", "pragma: allowlist-secret", "ggignore", "secretlint-disable-line", "KINGFISHER:IGNORE",
]  # fmt: skip
NEXT = [
    "locum:allow-next-line",
    "pragma: allowlist nextline secret",
    "pragma: whitelist nextline secret",
    "secretlint-disable-next-line",
]
NOT = [
    "ggignore-start",
    "ggignored",
    "locum:allowed",
    "pragma: allowlist",
    "secretlint-disable",
    "secretlint-enable",
    "gitleaks",
    "allow",
    "nosec",
]
COMMENTS = ["# {}", "// {}", "/* {} */", "-- {}", "<!-- {} -->", "; {}", "' {}", "# {}: made up for the tests", "#{}"]


def token() -> str:
    return "ghp" + "_" + github_body(SOURCE)


def found(text: str) -> tuple[int, int]:
    results = [engine.scan(text.encode()) for engine in ENGINES]
    assert results[0] == results[1]
    return len(results[0].findings), len(results[0].suppressed)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("comment", COMMENTS)
@pytest.mark.parametrize("marker", SAME)
def test_same_line(marker: str, comment: str, end: str) -> None:
    said = comment.format(marker)
    assert found(f'a = 1{end}key = "{token()}" {said}{end}b = "{token()}"{end}') == (1, 1)
    assert found(f'key = "{token()}"{end}{said}{end}b = "{token()}"{end}') == (2, 0), "other lines are not touched"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("comment", COMMENTS)
@pytest.mark.parametrize("marker", NEXT)
def test_next_line(marker: str, comment: str, end: str) -> None:
    said = comment.format(marker)
    assert found(f'{said}{end}key = "{token()}"{end}b = "{token()}"{end}') == (1, 1)
    assert found(f'key = "{token()}" {said}{end}') == (1, 0), "it speaks of the next line"


@pytest.mark.parametrize("marker", NOT)
def test_lookalikes(marker: str) -> None:
    assert found(f'key = "{token()}" # {marker}\n') == (1, 0)


def test_a_value_over_several_lines() -> None:
    body = "\n".join(characters(SOURCE, "b64", 64) for _ in range(3))
    key = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"
    assert found(f"# secretlint-disable-next-line\n{key}\n") == (0, 1)
    assert found(f"{key} # locum:allow\n") == (0, 1)
    assert found(f"{key}\n# locum:allow\n") == (1, 0)


def test_a_marker_at_the_very_end() -> None:
    assert found(f"{token()} # ggignore") == (0, 1)
    assert found("# secretlint-disable-next-line") == (0, 0)
