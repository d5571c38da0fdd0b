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
        """Keep the end, which must be on disk by now, and end the thread: after this returns, or within `wait` seconds."""
        with self._guard:
            if not self._ending:
                self._last = signed_anchor(self._log.end, self._key)
                self._ending = True
                self._key.wipe()
        self._wake.set()
        if wait:
            self._thread.join(wait)

    def _work(self) -> None:
        known = self._known()
        if isinstance(known, str) and known != EMPTY:
            return  # no keyring, or a locked one: nothing to keep an anchor in until the log is opened again
        while True:
            self._wake.wait(EVERY_SECONDS)
            self._wake.clear()
            note, end = self._note()
            if note and (end.sequence != self._kept.sequence) and not keep_note(self._account, note):
                self._kept = end
            if self._ending:
                return

    def _known(self) -> Anchor | str:
        """Return the keyring's anchor; tell when the log is not the one that it knows."""
        note = read_note(self._account)
        with self._guard:
            if self._ending:
                return "closed"
            if not isinstance(note, bytes):
                return EMPTY if note == NO_NOTE else note.reason
            known = parse_anchor(note, self._key)
        if isinstance(known, Anchor):
            self._kept = known
        missing = known if isinstance(known, str) else self._log.lacks(known)
        if missing:
            try:
                self._tell(f"{missing} (says the keyring)")
            except LocumError:
                return "closed"  # the anchor must not be replaced before that is written down
        return EMPTY if isinstance(known, str) else known

    def _note(self) -> tuple[bytes, Anchor]:
        """Return the signed end of what is on disk."""
        with self._guard:
            if self._ending:
                return self._last or b"", self._log.end
            try:
                self._log.commit()
            except LocumError:
                return b"", self._kept
            end = self._log.anchored
            return signed_anchor(end, self._key), end
