"""The published schema of `locum.toml` is the one that the code gives, and it agrees with the reader."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from locum.refs.manifest_schema import manifest_schema
from unit.refs.test_manifest import FULL, WRONG

PUBLISHED = Path(__file__).resolve().parents[2] / "schemas" / "manifest.schema.json"
ONLY_THE_READER_KNOWS = {"no [secrets.NOPE]", "did you mean STRIPE?", "date", "TOML"}
"""Mistakes that a schema cannot see: they relate two places, or are no JSON types."""


def test_published() -> None:
    assert json.loads(PUBLISHED.read_text()) == manifest_schema(), (
        "run: python -m locum.refs.manifest_schema > schemas/manifest.schema.json"
    )


def test_takes_what_the_reader_takes() -> None:
    jsonschema.validate(tomllib.loads(FULL), manifest_schema())


@pytest.mark.parametrize("text", [text for text, says, _ in WRONG if says not in ONLY_THE_READER_KNOWS])
def test_refuses_what_the_reader_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), manifest_schema())
