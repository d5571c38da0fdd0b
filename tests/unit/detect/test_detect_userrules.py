"""Rules of other people: they find what they say, in linear time, bounded, and they only add."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from typing import Any

import pytest
from detect_cases import github_body
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.detect.engine import MAX_FINDINGS, Engine, default_engine
from locum.detect.pack import Pack
from locum.detect.rescan import rescan
from locum.detect.userrules import MAX_RULES, Except, UserRule, expression
from locum.text.linear import BadExpression

SOURCE = random.Random(11)
PACK = Pack.built_in()
ACME = r"\bacme_([a-z0-9]{24})\b"


def made(regex: str = ACME, rule_id: str = "own-acme", **fields: Any) -> UserRule:
    return UserRule(rule_id, expression(regex, 1), **fields)


def engine(*rules: UserRule) -> Engine:
    return default_engine().with_rules(rules)


def value(length: int = 24) -> str:
    return "".join(SOURCE.choices(string.ascii_lowercase + string.digits, k=length))


def found(rules: Sequence[UserRule], text: str, path: str = "a.py") -> list[tuple[str, str]]:
    data = text.encode()
    return [(item.rule, data[item.start : item.end].decode()) for item in engine(*rules).scan(data, path=path).findings]


@pytest.mark.parametrize("keywords", [("acme_",), ("ACME",), (), ("ä", "acme_"), ("ac",)])
def test_finds_the_group_with_or_without_keywords(keywords: tuple[str, ...]) -> None:
    secret = value()
    rule = made(keywords=keywords, title="Acme\x1b[31m key")
    text = f"größe = 1\n# 🦊\nx = f(acme_{secret})\n"
    assert found([rule], text) == [("own-acme", secret)]
    (finding,) = engine(rule).scan(text.encode(), path="a.py").findings
    assert (finding.confidence, finding.severity, finding.secret_name) == ("medium", "warning", "ACME")
    assert finding.title == "Acme [31m key", "a title steers no terminal"
    assert secret not in repr(finding)


def test_a_keyword_is_asked_for() -> None:
    assert found([made(keywords=("elsewhere",))], f"acme_{value()}") == []


def test_what_stands_far_from_the_keyword_is_not_meant() -> None:
    near, far = value(), value()
    text = f"corp\nx({near})\n" + "# nothing\n" * 400 + f"y({far})\n"
    assert found([made(r"[xy]\(([a-z0-9]{24})\)", keywords=("corp",))], text) == [("own-acme", near)]


def test_groups_by_number_or_the_first_that_matched() -> None:
    one, two = value(), value()
    regex = r"a_(?:([0-9]{50})|([a-z0-9]{24}))/([a-z0-9]{24})"
    text = f"f(a_{one}/{two})"
    assert found([made(regex)], text) == [("own-acme", one)]
    assert found([made(regex, group=3)], text) == [("own-acme", two)]
    assert found([made(r"a_[a-z0-9]{24}/")], text) == [("own-acme", f"a_{one}/")]
    with pytest.raises(ValueError, match="no group 4"):
        made(regex, group=4)


def test_confidence_and_severity_as_said() -> None:
    def loud(**fields: Any) -> tuple[str, str]:
        (finding,) = engine(made(**fields)).scan(f"f(acme_{value()})".encode(), path="a.py").findings
        return finding.confidence, finding.severity

    assert loud(severity="error") == ("high", "error")
    assert loud(severity="hint") == ("medium", "hint")
    assert loud(confidence="low") == ("low", "hint")
    assert loud(severity="warning", confidence="certain") == ("certain", "warning")


def test_placeholders_entropy_markers_and_paths_count() -> None:
    rule = made(r"acme_([a-z0-9-]{24})", keywords=("acme_",), entropy=3.0)
    assert found([rule], "f(acme_your-token-goes-in-here-)") == []
    assert found([rule], "f(acme_" + "ab" * 12 + ")") == []
    line = f"f(acme_{value()})"
    result = engine(rule).scan(f"{line}  # locum:allow\n".encode(), path="a.py")
    assert (len(result.findings), [item.mechanism for item in result.suppressed]) == (0, ["locum:allow"])
    only = made(applies=lambda path: path.endswith(".py"))
    assert (len(found([only], line)), len(found([only], line, "a.js"))) == (1, 0)


def test_exceptions() -> None:
    def left(text: str, path: str = "a.py", **said: Any) -> int:
        compiled = {name: tuple(expression(regex, 1) for regex in said.pop(name, ())) for name in ("regexes", "paths")}
        fields: dict[str, Any] = {"target": "secret", "stopwords": (), "every": False, **compiled, **said}
        return len(found([made(exceptions=[Except(**fields)])], text, path))

    own = "k3q9" + value(20)
    text = f"x = 1\nold(acme_{own})\n"
    assert left(text) == 1
    assert left(text, regexes=["^k3q9"]) == 0
    assert left(text, regexes=["^acme_"]) == 1
    assert left(text, regexes=["^acme_"], target="match") == 0
    assert left(text, regexes=[r"^\s*old\("], target="line") == 0
    assert left(text, regexes=["x = 1"], target="line") == 1
    assert left(text, stopwords=(b"k3q9",)) == 0
    assert left(text, paths=["^a"]) == 0
    assert left(text, paths=["^a"], stopwords=(b"nothere",), every=True) == 1
    assert left(text, paths=["^a"], stopwords=(b"k3q9",), every=True) == 0


def test_in_derived_texts_too() -> None:
    import base64

    secret = value()
    text = "blob = '" + base64.b64encode(f"token: acme_{secret} and some more words".encode()).decode() + "'\n"
    (finding,) = engine(made(keywords=("acme_",))).scan(text.encode(), path="a.py").findings
    assert finding.rule == "own-acme"


def test_built_in_findings_stay() -> None:
    token = "ghp" + "_" + github_body(SOURCE)
    text = f'key = "{token}"  # {value()}\n'.encode()
    plain = default_engine().scan(text, path="a.py").findings
    assert [finding.severity for finding in plain] == ["error"]
    hostile = [
        made(r"(?s).{1,200}", "own-all", confidence="certain", severity="hint"),
        made(r"ghp_\w+", "own-same", keywords=("ghp_",), confidence="certain"),
        made(r"p_\w{10}", "own-part", confidence="certain"),
    ]
    for rules in ([rule] for rule in hostile):
        assert set(plain) <= set(engine(*rules).scan(text, path="a.py").findings)
    assert set(plain) <= set(engine(*hostile).scan(text, path="a.py").findings)


def test_a_louder_rule_of_ones_own_counts() -> None:
    text = f'password = "{"hello-world"}"\n'
    before = default_engine().scan(text.encode(), path="a.py").findings
    assert all(finding.severity == "hint" for finding in before)
    rule = made(r'password = "([^"]+)"', keywords=("password",), severity="error")
    (finding,) = engine(rule).scan(text.encode(), path="a.py").findings
    assert (finding.rule, finding.severity) == ("own-acme", "error")


def test_built_in_findings_are_not_crowded_out() -> None:
    text = "\n".join(f"acme_{value()}" for _ in range(MAX_FINDINGS + 50)) + f'\nkey = "ghp_{github_body(SOURCE)}"\n'
    result = engine(made(keywords=("acme_",))).scan(text.encode(), path="a.py")
    assert result.truncated
    assert len(result.findings) == MAX_FINDINGS
    assert result.findings[-1].rule == "github-pat"


PIECES = st.lists(
    st.sampled_from(["acme_", "corp", "\n", " ", "'", "a" * 3000, "\n" * 30, "0123456789abcdefghijklmn", "key="])
    | st.integers(0, 50).map(
        lambda seed: f"acme_{''.join(random.Random(seed).choices('abcdefghij0123456789', k=24))} "
    ),
    max_size=25,
)


@settings(max_examples=80, deadline=None)
@given(PIECES)
def test_windows_and_blocks_find_what_the_whole_text_holds(pieces: list[str]) -> None:
    data = "".join(pieces).encode()
    near, whole = (engine(made(keywords=words)).scan(data, path="a.py") for words in (("acme_",), ()))
    assert near.findings == whole.findings
    wanted = {match.span(1) for match in expression(ACME, 1).finditer(data)}
    assert {(item.start, item.end) for item in whole.findings if item.rule == "own-acme"} <= wanted


def test_across_the_borders_of_blocks() -> None:
    secrets = [value() for _ in range(400)]
    text = "".join(f"{'x' * (index * 7 % 997)}\nacme_{secret}\n" for index, secret in enumerate(secrets))
    assert len(text) > 3 * 64 * 1024
    assert [secret for _, secret in found([made()], text)] == secrets
    assert [secret for _, secret in found([made(keywords=("acme_",))], text)] == secrets
    one_line = " ".join(f"{'x' * (index * 7 % 997)} acme_{secret}" for index, secret in enumerate(secrets))
    assert [secret for _, secret in found([made()], one_line)] == secrets


def test_an_edit_gives_what_a_full_scan_gives() -> None:
    mine = engine(made(keywords=("acme_",)))
    lines = [f"x{number} = {number}" for number in range(3000)]
    before = rescan(mine, None, "\n".join(lines).encode(), path="a.py")
    assert before.result.findings == ()
    lines[1500] = f"f(acme_{value()})"
    after = rescan(mine, before, "\n".join(lines).encode(), path="a.py")
    assert after.result == mine.scan(after.data, path="a.py")
    assert len(after.result.findings) == 1
    other = rescan(default_engine(), after, after.data + b"\n", path="a.py")
    assert other.result.findings == (), "other rules, other findings"


@pytest.mark.parametrize("regex", [r"(a|a)*(a|aa)+b", r"a[^!]*!|a", r"(?:a{0,50}){0,19}b", r"\s*a\s*$", "."])
@pytest.mark.timeout(30)
def test_hostile_expressions_end(regex: str) -> None:
    """In an engine that goes back, the first of them would not end before the sun does."""
    data = b"a" * 3_000_000
    result = engine(made(regex)).scan(data, path="a.py", budget=1.0)
    assert all(0 <= finding.start < finding.end <= len(data) for finding in result.findings)


def test_the_deadline_counts_and_is_told() -> None:
    data = b"xacme_ \n" * 200_000
    rules = [made(rf"acme_([a-z]{{0,20}})\s{{{number + 1},90}}q", f"own-r{number}") for number in range(60)]
    assert engine(*rules).scan(data, path="a.py", budget=0.05).truncated


def test_bounds() -> None:
    with pytest.raises(BadExpression):
        expression(r"(?=a)b", 1)
    with pytest.raises(BadExpression):
        expression(r"((\pL{1,100}){1,9}[^a]{1,90}){1,1000}", 1)
    one = expression("abc", 1)
    rules = [UserRule(f"own-{number}", one) for number in range(MAX_RULES + 1)]
    with pytest.raises(ValueError, match="1000 is the most"):
        engine(*rules)
    assert "own-0" in engine(*rules[:-1]).rules


def test_no_built_in_rule_has_such_an_id() -> None:
    assert not [name for name in PACK.rules if name.startswith(("own-", "user-"))]
