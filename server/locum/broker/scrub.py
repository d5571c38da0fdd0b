"""Text for people and for the record, without what looks like a value. Pure.

Not detection: the broker knows no rules. A long run of characters that no word and no name is made of is left out,
whatever it is. So a command line with a token typed into it is shown and kept without the token.
"""

from __future__ import annotations

import re

_RUN = re.compile(r"[A-Za-z0-9+_=.~-]{20,}")
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
LEFT_OUT = "…"


def scrub(text: str) -> str:
    """Return the text with `…` for each run of 20 or more characters that mixes small, capital letters and digits.

    Runs of 32 or more hexadecimal digits go as well. References stay: they mix only in their names.
    """
    return _RUN.sub(lambda run: LEFT_OUT if _is_mixed(run[0]) else _HEX.sub(LEFT_OUT, run[0]), text)


def _is_mixed(run: str) -> bool:
    kinds = (any(map(str.islower, run)), any(map(str.isupper, run)), any(map(str.isdigit, run)))
    return all(kinds) or (sum(map(str.isdigit, run)) * 4 >= len(run) and any(kinds[:2]))
