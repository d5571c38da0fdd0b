"""The published schema of a policy is the one that the code gives, and takes what the broker takes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from locum.broker.policy_file import _rules  # pyright: ignore[reportPrivateUsage] - the reader that the schema describes
from locum.broker.policy_schema import policy_schema
from locum.errors import LocumError

PUBLISHED = Path(__file__).resolve().parents[2] / "schemas" / "policy.schema.json"
GOOD = [
    "", 'level = "L1"', "max_ttl = 900", 'max_ttl = "15m"', 'max_standing = "7d"', 'channels = ["fd", "proxy"]',
    'always_ask = ["op://*"]\nproduction = ["LIVE_*"]', '[[deny]]\nasker = "agent"\nchannel = "env"\nreason = "use fd"',
    '[[deny]]\nreference = "op://ops/*"\n[[deny]]\ncommand = "curl*"\nworkspace = "/srv/*"',
]  # fmt: skip
BAD = [
    "colour = 1", 'level = "L9"', "max_ttl = -1", 'max_ttl = "soon"', "max_standing = 99999999", "channels = 1",
    'always_ask = "x"', "deny = 1", '[[deny]]\nreason = "nothing"', "[[deny]]\nreference = 1", '[[deny]]\nwho = "x"',
]  # fmt: skip


def test_published() -> None:
    assert json.loads(PUBLISHED.read_text("utf-8")) == policy_schema(), (
        "run: python -m locum.broker.policy_schema > schemas/policy.schema.json"
    )


@pytest.mark.parametrize("text", GOOD)
def test_what_the_broker_takes_fits(text: str) -> None:
    _rules(tomllib.loads(text), set())
    jsonschema.validate(tomllib.loads(text), policy_schema())


@pytest.mark.parametrize("text", BAD)
def test_what_the_broker_refuses_does_not_fit(text: str) -> None:
    with pytest.raises(LocumError):
        _rules(tomllib.loads(text), set())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), policy_schema())
