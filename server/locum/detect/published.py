"""Values that vendors print for everybody to see: in their documentation, their samples, their emulators.

They look like secrets and are none. Kept as the first half of their SHA-256, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

from hashlib import sha256

_LENGTHS = frozenset((20, 32, 39, 40, 88))
_HASHES = """
# AWS's documentation: the key pair of its examples.
1a5d44a2dca19669 78314b11be2e5815
# Firebase's SDKs: keys of their tests and samples.
3f370c9dd8225c63 e4a5542bb7fd7b67 f56e323494a6ffc2
0b476bdf9acf2123 2037abcaffb2b777 27a9a42931dff7eb 37f8f09bdf12c2f2 49f777db995e8260
4c98242dcadc8b29 6ca6473b42d9c17e 8731261cb72d8626 a19f89ab3555eac1 dc0fcf046c61640c
ea9bb1082cf95663 eb540d2b6ee2a0a4
# Stripe's documentation: keys of its examples, open to everybody.
2cafc0970149a84f 5895b89c8fb33402 b1471f544ceeea31 f2d6ca16515033e5
# Microsoft's storage and Cosmos emulators: the one key that each has.
0011cc25eb432071 aa6547439583c3a2
# GitHub's documentation: the token of its OAuth example.
bc3ae723f57c6b9e
# reCAPTCHA's documentation: the pair for automated tests, which always passes.
03b970ed8171d73b f5e95c9954635b65
"""
"""One text: hashes in quotes of their own would look like keys to a scanner. Lines with `#` say whose they are."""
_PUBLISHED = frozenset(word for line in _HASHES.splitlines() if not line.startswith("#") for word in line.split())


def is_published(value: bytes) -> bool:
    """Say whether a vendor has published this very value."""
    return len(value) in _LENGTHS and sha256(value).hexdigest()[:16] in _PUBLISHED
