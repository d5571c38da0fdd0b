"""Which stored secret has exactly this value: HMACs under a key of their own, in memory only.

Knows digests and who they belong to; opens no vault. A digest belongs to one version of one record, so whatever was
replaced or deleted, here or by another process, is not taken for what it was.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable

from locum.secret import SecretBytes

SHORTEST = 8
"""Bytes. Shorter values are never matched: they are too quickly guessed, and equal by chance."""

Version = tuple[str, int]
"""Id and version of a record."""


class SameValue:
    """The digests of an open vault's values."""

    def __init__(self, key: SecretBytes) -> None:
        """`key` is ours from here on: `wipe` wipes it."""
        self._key = key
        self._digests: dict[Version, bytes] = {}
        """Empty for a value that is too short."""

    def find(
        self, value: SecretBytes, stored: Iterable[tuple[str, Version]], open_value: Callable[[str], SecretBytes]
    ) -> str:
        """Return the first of the names in `stored` whose value this is, "" for none.

        `open_value` is asked for the values that are not known yet, and may raise; they are wiped here.
        """
        wanted, found = self._digest(value), ""
        digests: dict[Version, bytes] = {}
        for name, version in stored:
            digest = self._digests.get(version)
            if digest is None:
                opened = open_value(name)
                digest = self._digest(opened)
                opened.wipe()
            digests[version] = digest
            if wanted and hmac.compare_digest(digest, wanted):
                found = found or name
        self._digests = digests  # what is no longer stored is forgotten
        return found

    def wipe(self) -> None:
        """Forget everything."""
        self._key.wipe()
        self._digests = {}

    def _digest(self, value: SecretBytes) -> bytes:
        with value.view() as view:
            return hmac.digest(self._key.view(), view, "sha256") if len(view) >= SHORTEST else b""
