"""Texts for people (Markdown, notes, commit messages): the reference says what stood there, and no program reads it."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target

_HEAD = re.compile(r"\ufeff?(---|\+\+\+)[ \t]*\r?\n(?:(?!\1[ \t]*(?:\r?\n|\Z)).*\n?)*")
"""Settings of a site's generator in front of the text: YAML or TOML."""


def rewrite(target: Target) -> Plan:
    """Put the reference in the secret's place. Raises NoSafeEdit in the settings at the head of a page."""
    head = _HEAD.match(target.text)
    if head is not None and target.start < head.end():
        raise NoSafeEdit("a program may read the settings at the head of this page: take it out by hand")
    made = target.as_prose("text for people")
    if not target.path.lower().endswith(".txt"):
        return made
    file = shlex.quote(target.path) if target.path.isprintable() else "FILE"
    return replace(
        made,
        note=f"If a program reads this file: 'locum run --mount {file} -- …' gives it a copy with the value in it.",
    )
