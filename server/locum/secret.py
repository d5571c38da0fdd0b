"""The one type that holds a secret value. Knows nothing of the rest of Locum.

A `SecretBytes` cannot be printed, formatted, compared with `==`, hashed, pickled, copied or iterated by accident.
Code that must touch the bytes says so with `view()`; code that is done says so with `wipe()`.
Values stay `bytes`: a `str` is copied by every operation on it and cannot be wiped.
"""

from __future__ import annotations

from typing import Any, NoReturn


class SecretBytes:
    """A value that must not be seen.

    `value` is copied into a buffer of our own; wiping the caller's copy is the caller's work.
    """

    __slots__ = ("_buffer",)

    def __init__(self, value: bytes | bytearray | memoryview) -> None:
        self._buffer = bytearray(value)

    def view(self) -> memoryview:
        """Return a read-only view of the bytes. Do not keep it longer than the call that needs it."""
        return memoryview(self._buffer).toreadonly()

    def is_empty(self) -> bool:
        """Say whether there is no byte in it (also after `wipe`)."""
        return not self._buffer

    def same_as(self, other: SecretBytes) -> bool:
        """Compare in time that does not depend on where the values differ."""
        import hmac  # 7 ms of OpenSSL, which a launcher never needs

        return hmac.compare_digest(self._buffer, other._buffer)

    def wipe(self) -> None:
        """Overwrite the bytes with zeros and forget them. Safe to call twice."""
        self._buffer[:] = bytes(len(self._buffer))
        try:
            self._buffer.clear()
        except BufferError:  # a view is still alive: the zeros are what counts
            return

    def __repr__(self) -> str:
        return "<secret>"

    def __str__(self) -> NoReturn:
        raise TypeError("a secret value has no text form")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("a secret value cannot be formatted")

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("compare secret values with same_as()")

    def __bool__(self) -> NoReturn:
        raise TypeError("ask is_empty()")

    __hash__ = None  # type: ignore[assignment]  # a hash of a value is an oracle for it

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a secret value cannot be pickled or copied")
