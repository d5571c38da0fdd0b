"""Words of a manifest that are shown elsewhere than in the manifest: none that look like a secret.

Somebody may have written a value where a name, a description or a page belongs. In the manifest that is a finding; here it is
left out of hovers, completions, links and lists, which other documents and the client's logs would get.
"""

from __future__ import annotations

from functools import lru_cache

HIDDEN = "(not shown: it looks like a secret)"


@lru_cache(4096)
def is_discreet(text: str) -> bool:
    """Say whether a text can be shown. Looks at the text alone, as the built-in rules do."""
    from locum.detect.engine import default_engine

    return not text or not default_engine().scan(text.encode("utf-8", "surrogatepass"), path="text").findings


def discreet(text: str) -> str:
    """Return a text that can be shown, or that it cannot."""
    return text if is_discreet(text) else HIDDEN
