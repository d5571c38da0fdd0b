"""A pack that cannot mean what it says is refused, by rule and field."""

from __future__ import annotations

from importlib.resources import files

import pytest

from locum.detect.pack import Pack, PackProblem, read_rules

GOOD = '[[rule]]\nid = "a-rule"\ntitle = "A"\nanchors = ["acme_"]\nregex = "acme_[a-z]{8}"\nsecret_name = "ACME"\nexplanation = "What it is."\n'


def test_good() -> None:
    (rule,) = read_rules(GOOD)
    assert (rule.id, rule.anchors, rule.severity, rule.span) == ("a-rule", ("acme_",), "error", 1024)


@pytest.mark.parametrize(("change", "says"), [
    (('"a-rule"', '"A rule"'), "bad id"), (('["acme_"]', "[]"), "bad anchors"), (('["acme_"]', '["ACME_"]'), "bad anchors"),
    (('["acme_"]', '["ac"]'), "bad anchors"), (('["acme_"]', "[1]"), "bad anchors"), (('["acme_"]', '"acme_"'), "bad anchors, it is list"),
    (('title = "A"', 'title = "A"\nseverity = "fatal"'), "bad severity"), (('title = "A"', 'title = "A"\nconfidence = 3'), "bad confidence"),
    (('title = "A"', 'title = "A"\ncheck = "luhn"'), "bad check"), (('title = "A"', 'title = "A"\nspan = 99999'), "bad span"),
    (('title = "A"', 'title = "A"\nspan = "9"'), "bad span"), (('title = "A"', 'title = "A"\nlookback = 2000'), "bad lookback"),
    (('title = "A"', 'title = "A"\nflavour = "x"'), "unknown field flavour"), (('title = "A"\n', ""), "title"), (('"ACME"', '"acme key"'), "bad secret_name"),
    (('"What it is."', '""'), "bad explanation"), (('"acme_[a-z]{8}"', '""'), "bad regex"), (("[[rule]]", "[rule]"), "[[rule]]"),
    (("[[rule]]", "[[rules]]"), "no rules"), (("[[rule]]", "[[rule"), "no rules"),
])  # fmt: skip
def test_wrong(change: tuple[str, str], says: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(PackProblem, match=says.replace("[", r"\[").replace("]", r"\]")):
        read_rules(GOOD.replace(*change))


def test_two_rules_of_one_id() -> None:
    with pytest.raises(PackProblem, match="two rules"):
        Pack(read_rules(GOOD + GOOD))


def test_an_empty_pack() -> None:
    with pytest.raises(PackProblem, match="without rules"):
        Pack([])


def test_a_bad_expression_names_its_rule() -> None:
    (rule,) = read_rules(GOOD.replace("{8}", "{8}("))
    with pytest.raises(PackProblem, match="a-rule: bad regex"):
        _ = rule.pattern


def test_every_rule_file_is_read() -> None:
    folder = files("locum.detect").joinpath("rules")
    texts = [item.read_text("utf-8") for item in folder.iterdir() if item.name.endswith(".toml")]
    assert len(Pack.built_in().rules) == sum(text.count("[[rule]]") for text in texts) >= 45
