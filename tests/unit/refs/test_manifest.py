"""`locum.toml`: loud about what it cannot mean, gentle with what people wrote."""

from __future__ import annotations

import tomllib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.errors import UsageProblem
from locum.refs.manifest import ManifestProblem, add_secret, parse_duration, parse_manifest

FULL = """\
# our shop
[project]
id = "acme-shop"

[secrets.STRIPE_API_KEY]
description = "Stripe test key"  # rotate in May
source = "local"
docs = "https://dashboard.stripe.com/apikeys"
[secrets.STRIPE_API_KEY.env]
prod = "op://shop/stripe/key"

[tasks.test]
command = ["pytest", "-q"]
secrets = ["STRIPE_API_KEY"]
ttl = "5m"

[tasks.renamed]
command = ["true"]
secrets = { PAYMENT_KEY = "locum://STRIPE_API_KEY" }

[scan]
exclude = ["tests/fixtures/**"]
[[scan.allow]]
rule = "generic-secret"
path = "docs/**"
reason = "sample values"
expires = 2027-01-01
[[scan.rule]]
id = "acme-token"
regex = "acme_([a-z0-9]{24})"
keywords = ["acme_"]
secret_group = 1
entropy = 3
severity = "error"
"""


def test_the_design_pages_example() -> None:
    manifest = parse_manifest(FULL)
    assert manifest.project_id == "acme-shop"
    assert manifest.secrets["STRIPE_API_KEY"].environments == {"prod": "op://shop/stripe/key"}
    assert manifest.tasks["test"].ttl == 300
    name = "STRIPE_API_KEY"
    assert manifest.tasks["test"].secrets == {name: f"locum://{name}"}
    assert manifest.tasks["renamed"].secrets == {"PAYMENT_KEY": "locum://STRIPE_API_KEY"}
    assert manifest.allow[0].expires == date(2027, 1, 1)
    (rule,) = manifest.rules
    assert (rule.id, rule.keywords, rule.secret_group, rule.entropy) == ("acme-token", ("acme_",), 1, 3.0)


WRONG = [
    ("secret.A = 1", "did you mean secrets?", 0),
    ("[project]\nidd = 'x'", "did you mean id?", 0),
    ("\n[secrets.A]\nsource = 'here'", "source", 1),
    ("[secrets.A]\nsource = 'locum://B'", "native", 0),
    ("[secrets.A]\ndocs = 1", "text", 0),
    ("[secrets.'a b']\n", "name", 0),
    ("[tasks.t]\ncommand = 'pytest'", "list", 0),
    ("[tasks.t]\nsecrets = ['NOPE']", "no [secrets.NOPE]", 0),
    ("[secrets.STRIPE]\n[tasks.t]\nsecrets = ['STRIP']", "did you mean STRIPE?", 1),
    ("[tasks.t]\nttl = '1y'", "duration", 0),
    ("[tasks.t]\nttl = 15", "text", 0),
    ("[[scan.allow]]\nrule = 'x'\npath = 'y'", "reason", 0),
    ("[[scan.allow]]\nreason = 'z'\nexpires = '2027-01-01'", "date", 0),
    ("[[scan.rule]]\nid = 'x'", "regex", 0),
    ("[[scan.rule]]\nid = 'X y'\nregex = 'a'", "id is", 0),
    ("[[scan.rule]]\nid = 'x'\nregex = 'a'\nentropy = 9", "entropy", 0),
    ("[[scan.rule]]\nid = 'x'\nregex = 'a'\nseverity = 'bad'", "severity is one of", 0),
    ("[scan]\nrules = 'gitleaks.toml'", "list", 0),
    ("a = \n", "TOML", 0),
]


@pytest.mark.parametrize(("text", "says", "line"), WRONG)
def test_wrong_is_loud(text: str, says: str, line: int) -> None:
    with pytest.raises(ManifestProblem) as caught:
        parse_manifest(text)
    assert says in caught.value.explain()
    assert caught.value.line == line
    assert caught.value.exit_code == 2


def test_adding_keeps_every_line_that_was_there() -> None:
    added = add_secret(FULL, "GITHUB_TOKEN", description="for releases")
    assert [line for line in FULL.splitlines() if line not in added.splitlines()] == []
    assert parse_manifest(added).secrets["GITHUB_TOKEN"].description == "for releases"
    assert parse_manifest(added).tasks == parse_manifest(FULL).tasks


@given(st.lists(st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True), max_size=6))
def test_adding_twice_is_adding_once(names: list[str]) -> None:
    text = ""
    for name in names:
        text = add_secret(text, name)
        assert add_secret(text, name) == text
    assert set(parse_manifest(text).secrets) == set(names)
    tomllib.loads(text)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400)])
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "0s", "-1m", "2d", "1.5h", "1m 30s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(UsageProblem):
        parse_duration(text)
