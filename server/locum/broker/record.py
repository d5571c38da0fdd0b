"""The record as the broker's methods write it: what happens before the vault is open waits for the key that signs it.

Beside the log stand its anchor in the OS keyring and, where a person allowed one, a collector that gets a copy.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locum.broker.audit import RECOVERED, AuditLog
from locum.broker.audit_asker import about_process
from locum.broker.audit_commit import Committer
from locum.broker.audit_files import AuditFailed
from locum.broker.audit_keyring import KeyringAnchor
from locum.broker.audit_record import ANCHOR_SALT
from locum.broker.audit_settings import SETTINGS_SALT, Settings, load_allowed, save_allowed
from locum.errors import LocumError
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from locum.broker.audit_collector import Collector, State

CONFIRM_SECONDS = 5.0
"""How long a grant waits for a collector that is required."""
_AT_THE_END = 0.3
"""Seconds that the broker's end waits for each of keyring and collector: the next broker waits for that end."""
_MOST_WAITING = 256


def _no_secret(name: str) -> SecretBytes:
    raise AuditFailed(f"there is no {name}")


class Record:
    """One audit log that is opened when its key is there."""

    def __init__(
        self, path: Path, derive: Callable[[bytes], SecretBytes], *, account: Callable[[], str] = lambda: "",
        secret: Callable[[str], SecretBytes] = _no_secret,
    ) -> None:  # fmt: skip
        """`derive` gives the key that belongs to a salt, `account` the keyring's account for the anchor ("": none),
        `secret` a value for a header of the collector.
        """
        self._path, self._derive, self._account, self._secret = path, derive, account, secret
        self._log: AuditLog | None = None
        self._committer: Committer | None = None
        self._keyring: KeyringAnchor | None = None
        self._collector: Collector | None = None
        self._must_arrive = 0
        """The newest record that must be with a required collector before anything is handed out."""
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_MOST_WAITING)

    def open(self) -> None:
        """Open the log and write what waited. Raises AuditFailed: without a record nothing is granted."""
        if self._log is not None and self._log.is_broken:
            self.close()  # a new segment mends what the disk refused, or says again that it refuses
        if self._log is None:
            log = self._log = AuditLog(self._path, self._derive)
            self._committer = Committer(log.commit)
            self._committer.wake()
            account = self._account()
            if account:
                self._keyring = KeyringAnchor(account, log, self._derive(ANCHOR_SALT), self._tell_missing)
            self._start_collector()
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
        if durable and ok:
            self.check()
        self._log.append(operation, ok=ok, durable=durable, **fields)
        if durable and ok:
            self._must_arrive = self._log.end.sequence
        if self._committer is not None and not durable:
            self._committer.wake()
        if self._keyring is not None:
            self._keyring.written()
        if self._collector is not None:
            self._collector.wake()

    def close(self, *, at_the_end: bool = False) -> None:
        """Anchor and close the log; its last signature needs the key, so this comes before the vault is locked.

        At the broker's end keyring and collector have a moment for what is new.
        """
        wait = _AT_THE_END if at_the_end else 0.0
        if self._committer is not None:
            self._committer.close()
            self._committer = None
        if self._collector is not None:
            self._collector.close(wait)
            self._collector = None
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._keyring is not None:
            self._keyring.close(wait)
            self._keyring = None

    # -- the collector ----------------------------------------------------------------------------------------

    @property
    def collector(self) -> tuple[Settings, State] | None:
        """The collector that is in force, and how it goes; None when there is none, or the log is not open."""
        return None if self._collector is None else (self._collector.settings, self._collector.state)

    def allow_collector(self, settings: Settings | None) -> None:
        """Put a collector in force, or none, after a person said yes. Raises AuditFailed."""
        key = self._derive(SETTINGS_SALT)
        try:
            save_allowed(self._path.with_suffix(".collector"), key, settings)
        except OSError as error:
            raise AuditFailed(error.strerror or "error") from None
        finally:
            key.wipe()
        if self._collector is not None:
            self._collector.close()
            self._collector = None
        if self._log is not None:
            self._start_collector()

    def check(self) -> None:
        """Raise AuditFailed when a collector is required and known not to take records."""
        if self._collector is not None and self._collector.settings.required and self._collector.state.trouble:
            raise self._not_taken(self._collector)

    async def confirmed(self) -> None:
        """Wait until a required collector has what allows something. Raises AuditFailed when it does not get there."""
        collector, wanted = self._collector, self._must_arrive
        if collector is None or not collector.settings.required:
            return
        if not await asyncio.to_thread(collector.has, wanted, CONFIRM_SECONDS):
            raise self._not_taken(collector)

    def _start_collector(self) -> None:
        key = self._derive(SETTINGS_SALT)
        settings = load_allowed(self._path.with_suffix(".collector"), key)
        key.wipe()
        if settings is None or self._log is None:
            return
        from locum.broker.audit_collector import Collector, fetch_secrets  # TLS: 30 ms that most need not pay

        self._log.append(
            "log.collector", ok=True, durable=True, resources=list(settings.secrets), reason=settings.endpoint
        )
        secrets = fetch_secrets(settings, self._secret)
        self._collector = Collector(settings, self._log, self._derive(ANCHOR_SALT), secrets)

    def _tell_missing(self, missing: str) -> None:
        if self._log is None:
            raise AuditFailed("it is not open")
        self._log.append(RECOVERED, ok=False, durable=True, reason=missing)

    @staticmethod
    def _not_taken(collector: Collector) -> LocumError:
        why = collector.state.trouble or "it does not answer in time"
        return AuditFailed(
            f"the collector {collector.settings.url.hostname}, which you require, does not take it: {why}",
            "Start it, or change audit.toml, then: locum audit collector --apply",
        )
