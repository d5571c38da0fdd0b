"""Text for people (Markdown, reStructuredText, AsciiDoc): the reference stands where the secret did; nothing resolves it."""

from __future__ import annotations

import re

from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target

_HEAD = re.compile(r"\ufeff?(---|\+\+\+)[ \t]*\r?\n(?:(?!\1[ \t]*(?:\r?\n|\Z)).*\n?)*")
"""Settings of a site's generator in front of the text: YAML or TOML."""


def rewrite(target: Target) -> Plan:
    """Put the reference in the place of the secret. Raises NoSafeEdit in the settings at the head of a page."""
    head = _HEAD.match(target.text)
    if head is not None and target.start < head.end():
        raise NoSafeEdit("a program may read the settings at the head of this page: take it out by hand")
    return target.as_prose("text for people")
