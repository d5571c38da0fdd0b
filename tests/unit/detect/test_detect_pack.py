"""A pack that cannot mean what it says is refused, by rule and field."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from locum.detect.formats import RULES
from locum.detect.pack import Pack, PackProblem, problems, read_rules

GOOD = "# A comment.\n[a-rule] A title\ntoken: acme_{alnum:8}\nname: ACME\nabout: What it is.\n"


def test_good() -> None:
    (rule,) = read_rules(GOOD)
    assert (rule.id, rule.title, rule.anchors, rule.severity, rule.span) == (
        "a-rule",
        "A title",
        ("acme_",),
        "error",
        1024,
    )
    assert rule.pattern.fullmatch(b"acme_0aZ9bbbb")


def test_a_context_rule() -> None:
    (rule,) = read_rules(
        "[acme-key] Acme key\nnear: acme, ac-me\nvalue: {hex:32}\nservice: Acme, anvils\nurl: https://example.com\n"
    )
    assert (rule.anchors, rule.near, rule.confidence, rule.secret_name) == (("acme", "ac-me"), 48, "medium", "ACME_KEY")
    assert "Acme, anvils" in rule.explanation


@pytest.mark.parametrize(("change", "says"), [
    (("[a-rule]", "[A rule]"), "bad id"), (("acme_{", "{"), "bad anchors"), (("name:", "anchors: ACME_\nname:"), "bad anchors"),
    (("name:", "anchors: ac\nname:"), "bad anchors"), (("name:", "severity: fatal\nname:"), "bad severity"),
    (("name:", "confidence: 3\nname:"), "bad confidence"), (("name:", "check: luhn\nname:"), "bad check"),
    (("name:", "span: 99999\nname:"), "bad span"), (("name:", "span: x\nname:"), "span is a number"),
    (("name:", "lookback: 2000\nname:"), "bad lookback"), (("name:", "flavour: x\nname:"), "unknown field flavour"),
    (("name:", "name: B\nname:"), "name is there twice"), (("name: ACME", "name: acme key"), "bad name"),
    (("about: What it is.", "about:"), "bad about"), (("{alnum:8}", "{anything:8}"), "no shape {anything:8}"),
    (("token: acme_{alnum:8}", "anchors: acme"), "bad regex"), (("[a-rule] A title", "[a-rule]"), "write [rule-id] Title"),
    (("[a-rule] A title", ""), "before the first rule"),
])  # fmt: skip
def test_wrong(change: tuple[str, str], says: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(PackProblem, match=re.escape(says)):
        read_rules(GOOD.replace(*change))


def test_two_rules_of_one_id() -> None:
    with pytest.raises(PackProblem, match="two rules"):
        Pack(read_rules(GOOD + GOOD))


def test_an_empty_pack() -> None:
    with pytest.raises(PackProblem, match="without rules"):
        Pack([])


def test_a_bad_expression_names_its_rule() -> None:
    (rule,) = read_rules(GOOD.replace(":8}", ":8}("))
    with pytest.raises(PackProblem, match="a-rule: bad regex"):
        _ = rule.pattern


def test_every_rule_file_is_read() -> None:
    folder = files("locum.detect").joinpath("rules")
    texts = [item.read_text("utf-8") for item in folder.iterdir() if item.name.endswith(".rules")]
    assert (
        len(Pack.built_in().rules)
        == sum(line.startswith("[") for text in (*texts, RULES) for line in text.splitlines())
        >= 45
    )


def test_the_built_in_rules_are_well_formed() -> None:
    assert [problem for rule in Pack.built_in().rules.values() for problem in problems(rule) if rule.anchors] == []
