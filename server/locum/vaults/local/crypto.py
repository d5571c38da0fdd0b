"""The few cryptographic steps that the envelope is made of. No files, no JSON.

AES-256-GCM (NIST SP 800-38D) with 96-bit random nonces; every sealing has a key of its own, derived by HKDF-SHA256
(RFC 5869) from a fresh salt, so that nonces never meet under one key. Parts of associated data are length-prefixed:
two different lists of parts never give the same bytes.
"""

from __future__ import annotations

import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from locum.secret import SecretBytes

KEY_SIZE = 32
SALT_SIZE = 16
NONCE_SIZE = 12
TAG_SIZE = 16
BUCKET = 64
"""Lengths of values are hidden in steps of so many bytes."""

Part = bytes | str | int


class SealBroken(Exception):
    """A sealed text does not open under this key and these data."""


def join_parts(*parts: Part) -> bytes:
    """Encode parts so that no two lists of parts look alike: each with its length before it."""
    encoded: list[bytes] = []
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        encoded += (struct.pack(">I", len(raw)), raw)
    return b"".join(encoded)


def derive(key: SecretBytes, salt: bytes, *info: Part) -> SecretBytes:
    """Derive a 256-bit key."""
    return SecretBytes(HKDF(hashes.SHA256(), KEY_SIZE, salt, join_parts(*info)).derive(key.view()))


def seal(key: SecretBytes, plain: SecretBytes, *data: Part) -> tuple[bytes, bytes]:
    """Encrypt under `key`, bound to `data`; return nonce and ciphertext with its tag."""
    nonce = os.urandom(NONCE_SIZE)
    return nonce, AESGCM(key.view()).encrypt(nonce, plain.view(), join_parts(*data))


def unseal(key: SecretBytes, nonce: bytes, sealed: bytes, *data: Part) -> SecretBytes:
    """Undo `seal`. Raises SealBroken for a wrong key, changed bytes or other data."""
    try:
        cipher, bound = AESGCM(key.view()), join_parts(*data)
        if not hasattr(cipher, "decrypt_into"):  # an older cryptography: one copy more, which nobody can wipe
            return SecretBytes(cipher.decrypt(nonce, sealed, bound))
        plain = bytearray(max(0, len(sealed) - TAG_SIZE))
        cipher.decrypt_into(nonce, sealed, bound, plain)
    except (InvalidTag, ValueError):
        raise SealBroken from None
    result = SecretBytes(plain)
    plain[:] = bytes(len(plain))
    return result


def authenticate(key: SecretBytes, *parts: Part) -> bytes:
    """Return the HMAC-SHA256 over parts."""
    mac = hmac.HMAC(key.view(), hashes.SHA256())
    mac.update(join_parts(*parts))
    return mac.finalize()


def pad(value: SecretBytes) -> SecretBytes:
    """Put the length before a value and fill up with zeros to a whole number of buckets."""
    with value.view() as view:
        size = 4 + len(view)
        padded = bytearray(size + -size % BUCKET)  # at once: a bytearray that grows leaves copies behind
        struct.pack_into(">I", padded, 0, len(view))
        padded[4:size] = view
    result = SecretBytes(padded)
    padded[:] = bytes(len(padded))
    return result


def unpad(padded: SecretBytes) -> SecretBytes:
    """Undo `pad`. Raises SealBroken when it is none."""
    with padded.view() as view:
        if len(view) < 4 or len(view) % BUCKET:
            raise SealBroken
        (size,) = struct.unpack(">I", view[:4])
        if size > len(view) - 4:
            raise SealBroken
        return SecretBytes(view[4 : 4 + size])
