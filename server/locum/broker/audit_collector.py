"""Sends copies of the record to an OpenTelemetry collector: OTLP over HTTP, in JSON, from a thread of its own.

The queue is the log itself: what the collector has taken is noted in `audit.sent`, signed, and the rest is read from the
files. So nothing is lost while it is away, and no memory is used. Only what is on disk and anchored is sent: a copy must
not know of a record that a power cut took back.

The address is the one that a person allowed: no redirect is followed, no proxy of the environment is used.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from locum import __version__
from locum.broker.audit_anchor import Anchor, read_anchor, write_anchor
from locum.broker.audit_files import Follower, last_line
from locum.broker.audit_formats import otel_request
from locum.broker.audit_record import parse, sequence_of
from locum.broker.audit_settings import Settings
from locum.errors import LocumError
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from locum.broker.audit import AuditLog

MOST_RECORDS = 512
MOST_BYTES = 1 << 20
"""Of one request."""
GATHER = 0.2
"""Seconds that a request waits for more records."""
TIMEOUT = 10.0
"""Seconds for each step of a request."""
BACKOFF = (1.0, 60.0)
"""Seconds until the next try: the first time, and at most; it doubles each time."""
_REQUIRED_BACKOFF = 4.0
"""At most, where people wait for it."""
_MAX_ANSWER = 64 * 1024


class _Failed(Exception):
    """The collector did not take the records; `why` holds no word of its answer."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.why, self.after = why, after


@dataclass(frozen=True, slots=True)
class State:
    """How it goes: the last record that it has, how many wait, and what is wrong."""

    sent: int
    waiting: int
    refused: int
    trouble: str


class Collector:
    """One collector, for as long as the log is open."""

    def __init__(self, settings: Settings, log: AuditLog, key: SecretBytes, secrets: Mapping[str, SecretBytes]) -> None:
        """Take over `key` (that of the anchors) and the values of the headers' `secrets`."""
        self.settings = settings
        self._log, self._key, self._secrets = log, key, dict(secrets)
        self._sent_path = sent_path(log.path)
        known = read_anchor(self._sent_path, key)
        self._sent = known if isinstance(known, Anchor) and not log.lacks(known) else Anchor(0, "")
        self._trouble, self._refused = "", 0
        self._changed = threading.Condition()
        self._ending = self._woken = False
        self._thread = threading.Thread(target=self._work, name="audit collector", daemon=True)
        self._thread.start()

    @property
    def state(self) -> State:
        """How it goes."""
        with self._changed:
            waiting = max(0, self._log.end.sequence - self._sent.sequence)
            return State(self._sent.sequence, waiting, self._refused, self._trouble)

    def wake(self) -> None:
        """Say that there is a new record."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def has(self, sequence: int, timeout: float) -> bool:
        """Wait until the collector has a record; say whether it has."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._sent.sequence >= sequence or self._ending or bool(self._trouble), timeout
            )
            return self._sent.sequence >= sequence

    def close(self, wait: float = 0.0) -> None:
        """End it, after it had so many seconds to send what is left. The rest is sent when the log is opened again."""
        if wait and not self._trouble:
            self.wake()
            self.has(self._log.end.sequence, wait)
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    # -- the thread -------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._send_all()
        except OSError as error:
            self._tell(f"the log cannot be read ({error.strerror})")
        finally:
            for secret in (self._key, *self._secrets.values()):
                secret.wipe()

    def _send_all(self) -> None:
        """Send what comes until the end. Raises OSError when the log cannot be read."""
        sent = self._sent.sequence
        follower = Follower(self._log.path, skip=lambda file: sequence_of(parse(last_line(file)) or {}) <= sent)
        pending: list[dict[str, Any]] = []
        pause, most = BACKOFF[0], MOST_RECORDS
        try:
            while not self._ending:
                pending = pending or self._next(follower)
                if not pending:
                    self._rest()
                    continue
                batch = pending[:most]
                try:
                    self._send(batch)
                except _Failed as failed:
                    if failed.why == _TOO_MUCH and len(batch) > 1:
                        most = max(1, len(batch) // 2)
                        continue
                    self._tell(failed.why)
                    self._wait(max(pause, failed.after))
                    pause = min(_REQUIRED_BACKOFF if self.settings.required else BACKOFF[1], pause * 2)
                else:
                    self._note(batch[-1])
                    pause, most, pending = BACKOFF[0], MOST_RECORDS, pending[len(batch) :]
        finally:
            follower.close()

    def _rest(self) -> None:
        """Sleep until there is a new record, and a little longer: others may come along."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending or self._woken)
            self._woken = False
        if not self.settings.required:
            time.sleep(GATHER)

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ending, seconds)

    def _next(self, follower: Follower) -> list[dict[str, Any]]:
        """Return the records that come next and are on disk. Raises OSError."""
        with contextlib.suppress(LocumError):
            self._log.commit()
        end, size = self._log.anchored.sequence, 0
        batch: list[dict[str, Any]] = []

        def is_enough(line: bytes) -> bool:
            full = len(batch) >= MOST_RECORDS or (batch and size + len(line) > MOST_BYTES)
            return bool(full) or sequence_of(parse(line) or {}) > end

        for line in follower.lines(until=is_enough):
            record = parse(line)
            if record is not None and sequence_of(record) > self._sent.sequence:
                batch.append(record)
                size += len(line)
        return batch

    def _note(self, record: dict[str, Any]) -> None:
        """Remember that the collector has everything up to this record."""
        sent = Anchor(sequence_of(record), str(record.get("hash")))
        with contextlib.suppress(OSError):  # else it is sent twice
            write_anchor(self._sent_path, self._key, sent)
        with self._changed:
            self._sent, self._trouble = sent, ""
            self._changed.notify_all()

    def _tell(self, trouble: str) -> None:
        with self._changed:
            self._trouble = trouble
            self._changed.notify_all()

    def _send(self, batch: list[dict[str, Any]]) -> None:
        """Send one request. Raises _Failed."""
        body = "".join(otel_request(batch, socket.gethostname())).encode()
        try:
            status, after, answer = self._post(body)
        except ssl.SSLCertVerificationError:
            raise _Failed("its certificate is not trusted") from None
        except ssl.SSLError:
            raise _Failed("no TLS connection can be made") from None
        except TimeoutError:
            raise _Failed("it does not answer in time") from None
        except OSError as error:
            raise _Failed(f"it cannot be reached ({error.strerror or 'no such host'})") from None
        except (http.client.HTTPException, ValueError):
            raise _Failed("it does not speak HTTP as expected") from None
        if status == 413:
            raise _Failed(_TOO_MUCH)
        if 300 <= status < 400:
            raise _Failed(f"it answers {status}, a redirect, which is not followed")
        if not 200 <= status < 300:
            raise _Failed(f"it answers {status}", after)
        refused = _rejected(answer)
        with self._changed:
            self._refused += refused
        if refused and self.settings.required:
            raise _Failed(f"it refused {refused} records")

    def _post(self, body: bytes) -> tuple[int, float, bytes]:
        url = self.settings.url
        host = url.hostname or ""
        if url.scheme == "https":
            trusted = ssl.create_default_context(cafile=self.settings.ca_file or None)
            connection = http.client.HTTPSConnection(host, url.port, timeout=TIMEOUT, context=trusted)
        else:
            connection = http.client.HTTPConnection(host, url.port, timeout=TIMEOUT)
        try:
            connection.putrequest("POST", url.path, skip_accept_encoding=True)
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(body)))
            connection.putheader("User-Agent", f"locum/{__version__}")
            connection.putheader("Connection", "close")
            for header in self.settings.headers:
                connection.putheader(header.name, header.before.encode("ascii") + self._value(header.secret))
            connection.endheaders(body)
            answer = connection.getresponse()
            after = answer.getheader("Retry-After", "")
            return answer.status, min(float(after), 300.0) if after.isdecimal() else 0.0, answer.read(_MAX_ANSWER)
        finally:
            connection.close()

    def _value(self, name: str) -> bytes:
        """Return a header's secret. Raises _Failed for one that cannot be in a header."""
        if not name:
            return b""
        if name not in self._secrets:
            raise _Failed(f"your vault has no {name}")
        with self._secrets[name].view() as view:
            if not view or any(byte < 0x21 or byte == 0x7F for byte in view):
                raise _Failed(f"{name} cannot be in a header")  # before http.client sees it: its errors show values
            return bytes(view)


_TOO_MUCH = "it takes no request of this size"


def sent_path(log: Path) -> Path:
    """Return where it is noted how much of a log the collector has."""
    return log.with_suffix(".sent")


def fetch_secrets(settings: Settings, get: Callable[[str], SecretBytes]) -> dict[str, SecretBytes]:
    """Return the values of the headers' secrets; what the vault has not is left out, and told when it is missed."""
    values: dict[str, SecretBytes] = {}
    for name in settings.secrets:
        with contextlib.suppress(LocumError):
            values[name] = get(name)
    return values


def _rejected(answer: bytes) -> int:
    """Return how many records a collector says that it refused (OTLP, "Partial Success")."""
    try:
        parsed: Any = json.loads(answer or b"{}")
        partial: Any = cast("dict[str, Any]", parsed).get("partialSuccess") or {}
        return max(0, int(cast("dict[str, Any]", partial).get("rejectedLogRecords", 0)))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return 0
