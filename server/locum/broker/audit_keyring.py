"""The anchor in the OS keyring: whoever deletes the log and the anchor beside it has to get at the keyring as well.

Used for a vault that a keyring opens; others said that they want none. The keyring is a slow stranger: it is asked in a
process of its own, from a thread of its own, and never such that a person would have to answer it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from locum.broker.audit_anchor import Anchor, parse_anchor, signed_anchor
from locum.errors import LocumError
from locum.secret import SecretBytes
from locum.vaults.local.keyring_slot import NO_NOTE, keep_note, read_note

if TYPE_CHECKING:
    from locum.broker.audit import AuditLog

EVERY_RECORDS = 64
EVERY_SECONDS = 300.0
"""How far the keyring's anchor may lie behind, whichever comes first."""
NOT_USED = "not used: no keyring opens this vault"
EMPTY = "holds no anchor yet"


def state_account(vault_id: str) -> str:
    """Return the account of the keyring item that holds a vault's anchor."""
    return f"state:{vault_id}"


def read_keyring_anchor(account: str, key: SecretBytes) -> Anchor | str:
    """Return the anchor, or why there is none. Takes up to some seconds; never raises."""
    if not account:
        return NOT_USED
    note = read_note(account)
    if isinstance(note, bytes):
        return parse_anchor(note, key)
    return EMPTY if note == NO_NOTE else note.reason


class KeyringAnchor:
    """Compares the log with the keyring's anchor when it is opened, and then keeps that anchor close behind it."""

    def __init__(self, account: str, log: AuditLog, key: SecretBytes, tell_missing: Callable[[str], None]) -> None:
        """Take over `key`. `tell_missing` is called, in another thread, with what the keyring knows and the log has not."""
        self._account, self._log, self._key, self._tell = account, log, key, tell_missing
        self._wake, self._guard = threading.Event(), threading.Lock()
        self._ending = False
        self._kept = Anchor(0, "")
        self._last: bytes | None = None
        self._thread = threading.Thread(target=self._work, name="audit keyring", daemon=True)
        self._thread.start()

    def written(self) -> None:
        """Say that there is a new record."""
        if self._log.end.sequence - self._kept.sequence >= EVERY_RECORDS:
            self._wake.set()

    def close(self, wait: float = 0.0) -> None:
        """Keep the end, which must be on disk by now, and end the thread: after this returns, or within `wait` seconds.

        A thread that has not heard from the keyring yet gives up with the process: its anchor stays where it was.
        """
        with self._guard:
            if not self._ending and not self._key.is_empty():
                self._last = signed_anchor(self._log.end, self._key)
                self._ending = True
        self._wake.set()
        if wait:
            self._thread.join(wait)

    def _work(self) -> None:
        try:
            if self._is_usable():
                self._keep_on()
        finally:
            with self._guard:
                self._key.wipe()

    def _keep_on(self) -> None:
        while True:
            note, end = self._note()
            if note and end.sequence != self._kept.sequence and not keep_note(self._account, note):
                self._kept = end
            if self._ending and note == self._last:
                return
            self._wake.wait(0.0 if self._ending else EVERY_SECONDS)
            self._wake.clear()

    def _is_usable(self) -> bool:
        """Say whether the keyring answers and its anchor may be replaced; tell when the log is not the one it knows."""
        note = read_note(self._account)
        if not isinstance(note, bytes):
            return note == NO_NOTE  # none, or a locked one: nothing to keep an anchor in until the log is opened again
        known = parse_anchor(note, self._key)
        if isinstance(known, Anchor):
            self._kept = known
        missing = known if isinstance(known, str) else self._log.lacks(known)
        try:
            if missing:
                self._tell(f"{missing} (says the keyring)")
        except LocumError:
            return False  # the anchor must not be replaced before that is written down
        return True

    def _note(self) -> tuple[bytes | None, Anchor]:
        """Return the signed end of what is on disk."""
        with self._guard:
            if self._ending:
                return self._last, self._log.end
            try:
                self._log.commit()
            except LocumError:
                return b"", self._kept
            end = self._log.anchored
            return signed_anchor(end, self._key), end
