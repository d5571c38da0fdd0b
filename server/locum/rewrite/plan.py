"""What a fix would do, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from locum.secret import SecretBytes
from locum.text.edits import Edit


@dataclass(frozen=True, slots=True)
class Plan:
    """A fix for one finding in one text."""

    name: str
    """The secret's name in the vault and in `locum.toml`."""
    edits: tuple[Edit, ...]
    """Offsets (code points) of the text that was looked at, sorted, not overlapping."""
    value: SecretBytes = field(repr=False)
    """The value to store, after the literal's escapes are undone."""
    idiom: str = ""
    """What now stands in the place, for people: `os.environ["NAME"]` or `locum://NAME`."""
    note: str = ""
    """What the person must know or do next, one sentence, or nothing."""


NO_EDIT = "no safe edit here: "
"""How most refusals begin; where it stands under such a heading anyway, it is left out."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no safe fix here, and what to do by hand. One or two sentences, no part of the value."""

    reason: str
