"""The record as the broker's methods write it: what happens before the vault is open waits for the key that signs it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from locum.broker.audit import AuditLog
from locum.broker.audit_asker import about_process
from locum.broker.audit_commit import Committer
from locum.broker.audit_files import AuditFailed
from locum.secret import SecretBytes

_MOST_WAITING = 256


class Record:
    """One audit log that is opened when its key is there. `derive` gives the key that belongs to a salt."""

    def __init__(self, path: Path, derive: Callable[[bytes], SecretBytes]) -> None:
        self._path, self._derive = path, derive
        self._log: AuditLog | None = None
        self._committer: Committer | None = None
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_MOST_WAITING)

    def open(self) -> None:
        """Open the log and write what waited. Raises AuditFailed: without a record nothing is granted."""
        if self._log is not None and self._log.is_broken:
            self.close()  # a new segment mends what the disk refused, or says again that it refuses
        if self._log is None:
            self._log = AuditLog(self._path, self._derive)
            self._committer = Committer(self._log.commit)
            self._committer.wake()
        while self._waiting:
            operation, fields = self._waiting[0]
            self._log.append(operation, **fields)
            self._waiting.popleft()

    def write(self, operation: str, *, ok: bool, durable: bool = False, **fields: Any) -> None:
        """Write an event; what is `durable` is on disk when this returns. Raises AuditFailed, then it did not happen.

        The rest is on disk a tenth of a second later. Before the log is open an event waits, except a durable one that
        allows something.
        """
        fields = about_process(fields.get("pid")) | fields
        if self._log is None and durable and ok:
            raise AuditFailed("it is not open")
        if self._log is None:
            self._waiting.append((operation, {"ok": ok, "durable": durable, **fields}))
            return
        self._log.append(operation, ok=ok, durable=durable, **fields)
        if self._committer is not None and not durable:
            self._committer.wake()

    def close(self) -> None:
        """Anchor and close the log; its last signature needs the key, so this comes before the vault is locked."""
        if self._committer is not None:
            self._committer.close()
            self._committer = None
        if self._log is not None:
            self._log.close()
            self._log = None
