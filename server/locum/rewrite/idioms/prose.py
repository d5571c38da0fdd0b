"""Texts for people (Markdown, notes, commit messages): the reference says what stood there, and no program reads it."""

from __future__ import annotations

from locum.rewrite.plan import Plan
from locum.rewrite.target import Target


def rewrite(target: Target) -> Plan:
    """Put the reference in the secret's place."""
    return target.as_prose("text for people")
