"""The broker's client: the only door to the broker for the command line, the launcher, the server and agents.

Standard library only, and no import of the broker's inside: `locum run` pays for it on every start.
One client is one connection; its calls are blocking and must come from one thread at a time.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from locum.broker import wire
from locum.broker.endpoint import client_side
from locum.errors import LocumError, Unavailable, from_wire
from locum.paths import Paths, user_paths
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locum.broker.endpoint import ClientStream

ANSWER_TIMEOUT = 60.0
"""Seconds for an ordinary answer: an unlock may have to wait for a keyring's own dialog."""
APPROVAL_TIMEOUT = 330.0
"""Seconds for an answer that waits for a person; the broker gives up first."""


class BrokerClient:
    """A connection to the broker. All methods raise LocumError; no error text holds a value."""

    def __init__(self, connection: ClientStream) -> None:
        self._socket = connection
        self._reader = wire.FrameReader()
        self._frames: deque[tuple[wire.Message, bytearray]] = deque()
        self._events: deque[wire.Message] = deque()
        self._next_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, and with it every lease it holds."""
        self._socket.close()

    def hang_up(self) -> None:
        """From another thread: end the wait for an answer, and with it what is asked."""
        shutdown = getattr(self._socket, "shutdown", None)
        if shutdown is not None:
            with contextlib.suppress(OSError):
                shutdown(2)

    def fileno(self) -> int:
        """Return the socket's descriptor, for `select`."""
        return self._socket.fileno()

    # -- what the broker is and has ---------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return version, pid, level, vault, control, leases."""
        return self._call("status")

    def unlock(self, passphrase: SecretBytes) -> None:
        """Open the vault with a passphrase. Raises NotAllowed (`locked.…`) when it does not fit."""
        self._call("vault.unlock", payload=passphrase)

    def lock(self) -> None:
        """Forget the vault's key and end every lease."""
        self._call("vault.lock")

    def list_secrets(self) -> list[dict[str, Any]]:
        """Return name, created, updated and version of each secret; never a value."""
        return self._call("secret.list")["secrets"]

    def store_secret(
        self,
        name: str,
        value: SecretBytes,
        *,
        origin: str,
        new: bool = False,
        ask: bool = False,
        tty: int | None = None,
    ) -> str:
        """Store and read back a secret; return a token that undoes a new one for as long as this connection lives.

        An existing name needs a person (`tty` or an editor). Raises `secret.exists` when there is none to ask, and always
        for an existing name where it is to be `new`. With `ask`, a new name needs a person's yes too.
        """
        params = {"name": name, "origin": origin, "new": new, "ask": ask}
        return self._call("secret.store", params, payload=value, tty=tty, person=True)["undo"]

    def match_secret(self, value: SecretBytes) -> str:
        """Return the name under which the vault holds exactly this value (the first by name), "" for none.

        Values under 8 bytes are never matched. Raises Unavailable (`unavailable.rate`) when too many were compared.
        """
        return self._call("secret.match", payload=value)["name"]

    def copy_secret(self, name: str, new_name: str, *, tty: int | None = None) -> None:
        """Store the value of `name` under a second, new name, after a person said yes (`tty` or an editor).

        Raises `secret.absent`, `secret.exists`, NotAllowed (`denied.…`).
        """
        self._call("secret.copy", {"name": name, "new_name": new_name}, tty=tty, person=True)

    def request_secret(self, name: str, reason: str) -> bool:
        """Wait until a person has stored a value under a new name, in an editor. False: the name was there already.

        Raises NotAllowed (`denied.…`) when no editor can take one, or nobody typed one.
        """
        return bool(self._call("secret.request", {"name": name, "reason": reason}, person=True)["stored"])

    def discard_secret(self, undo: str) -> None:
        """Take back a `store_secret` of this connection."""
        self._call("secret.discard", {"undo": undo})

    def remove_secret(self, name: str, *, tty: int | None = None) -> None:
        """Delete a secret, after a person said yes."""
        self._call("secret.remove", {"name": name}, tty=tty, person=True)

    # -- leases -----------------------------------------------------------------------------------------------

    def request_lease(self, request: wire.LeaseRequest, *, tty: int | None = None) -> dict[str, Any]:
        """Ask for a lease and wait for a person's answer. Raises NotAllowed (`denied.…`, `locked.…`).

        The lease's `content` says which files the yes covers, and whether they must run as they were then (`frozen`).
        """
        answer = self._call("lease.request", request.to_wire(), tty=tty, person=True)
        return {**answer["lease"], "content": answer["content"]}

    def redeem(self, lease_id: str) -> dict[str, SecretBytes]:
        """Return the values, by `Grant.key`. Works once, from the process that asked, while the lease lives."""
        result, payload = self._call_with_payload("lease.redeem", {"id": lease_id})
        values: dict[str, SecretBytes] = {}
        position = 0
        for item in result["values"]:
            with memoryview(payload)[position : position + item["size"]] as part:
                values[item["env"]] = SecretBytes(part)
            position += item["size"]
        payload[:] = bytes(len(payload))
        return values

    def renew_lease(self, lease_id: str) -> dict[str, Any]:
        """Let a lease live for its time once more, as far as was approved. Raises NotAllowed."""
        return self._call("lease.renew", {"id": lease_id})["lease"]

    def end_lease(self, lease_id: str, exit_code: int) -> None:
        """Say that the task has ended."""
        self._call("lease.end", {"id": lease_id, "exit_code": exit_code})

    def list_leases(self) -> list[dict[str, Any]]:
        """Return the live leases: id, task, argv, cwd, env, files, references, pid, granted, expires_in, state."""
        return self.look_at_leases()["leases"]

    def look_at_leases(self) -> dict[str, Any]:
        """Return the live `leases`, what others have issued for them or earlier ones (`upstream`: id, lease, task, issuer,
        reference, state, tries, next_try_in, expires), and how many such entries do not open (`unread`)."""
        return self._call("lease.list")

    def revoke_lease(self, lease_id: str, *, everything: bool = False) -> list[str]:
        """End a lease (its id or the beginning of it) or all of them now; their tasks are stopped. Return the ids."""
        return self._call("lease.revoke", {"id": lease_id, "all": everything})["revoked"]

    # -- sessions of agents -------------------------------------------------------------------------------------

    def open_session(self, session: str, client: str) -> dict[str, Any]:
        """Say that the agent above this process works in a session; leases asked for below the agent end with it.

        Again for the same session: it is seen once more. Raises UsageProblem for odd names, NotAllowed (`denied.session`)
        when no agent's process is above this one, or another one has a session of this name open.
        """
        return self._call("session.open", {"session": session, "client": client})["session"]

    def close_session(self, session: str, *, tty: int | None = None) -> list[str]:
        """End a session of the agent above this process, or on a person's own terminal (`tty`) any; return its leases' ids.

        Raises UsageProblem (`session.unknown`), NotAllowed (`denied.session`).
        """
        return self._call("session.close", {"session": session}, tty=tty)["ended"]

    def list_sessions(self) -> list[dict[str, Any]]:
        """Return the open sessions: session, client, pid, program, opened, expires_in, leases (how many)."""
        return self._call("session.list")["sessions"]

    def my_session(self) -> dict[str, Any] | None:
        """Return the open session that this process is part of, as `list_sessions` does; None for none."""
        return self._call("session.mine")["session"]

    def session_account(self, session: str) -> dict[str, Any]:
        """Return what the record says of a session: used, refused, tasks (names), granted (how many), leases (live ids)."""
        return self._call("session.account", {"session": session})

    def pair(self, channel: int) -> None:
        """Ask whoever holds the control channel to let the other end of this socket (its descriptor) answer too.

        Raises NotAllowed (`denied.…`) when nobody holds it, or the answer is no.
        """
        self._call("control.pair", tty=channel, person=True)

    # -- policy -----------------------------------------------------------------------------------------------

    def policy(self) -> dict[str, Any]:
        """Return what stands, both rules, and what is to be told about the files."""
        return self._call("policy.list")

    def explain_policy(self, request: wire.LeaseRequest) -> dict[str, Any]:
        """Return what would become of a request, and why; nobody is asked."""
        return self._call("policy.explain", request.to_wire())

    def request_standing(self, request: wire.LeaseRequest, seconds: int, *, tty: int | None = None) -> dict[str, Any]:
        """Ask a person for a yes that stands for exactly this. Raises NotAllowed, UsageProblem."""
        params = request.to_wire() | {"stands_for": seconds}
        return self._call("policy.request", params, tty=tty, person=True)["standing"]

    def revoke_standing(self, standing: str, *, everything: bool = False) -> list[str]:
        """Take standing yeses back; their leases end. Return their ids. Raises UsageProblem."""
        return self._call("policy.revoke", {"id": standing, "all": everything})["revoked"]

    def adopt_policy(self, *, tty: int | None = None) -> None:
        """Put the edited policy file in force, after a person said yes."""
        self._call("policy.adopt", tty=tty, person=True)

    def restore_policy(self) -> None:
        """Write what is in force over the edited file."""
        self._call("policy.restore")

    # -- record, events, end ----------------------------------------------------------------------------------

    def verify_audit(self) -> dict[str, Any]:
        """Check the audit chain: ok, records, first_bad, reason, file, files, anchors, notes."""
        return self._call("audit.verify")

    def audit_collector(self) -> dict[str, Any]:
        """Return the collector in force, its lines for people, and whether audit.toml asks for another one."""
        return self._call("audit.collector")

    def apply_audit_settings(self, *, tty: int | None = None) -> dict[str, Any]:
        """Put audit.toml in force, after a person said yes. Raises UsageProblem, NotAllowed (`denied.…`)."""
        return self._call("audit.apply", tty=tty, person=True)

    def stop(self) -> None:
        """End the broker; every lease ends with it."""
        with contextlib.suppress(Unavailable):
            self._call("broker.stop")

    def watch(self) -> None:
        """Ask for `leases` events on this connection."""
        self._call("watch")

    def next_event(self, timeout: float | None) -> dict[str, Any] | None:
        """Return the next event, None after `timeout` seconds (0: what is here now). Raises Unavailable at the end."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self._events:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not client_side().wait_readable(self._socket, left):
                return None
            for message, _ in self._receive():
                self._keep(message)
        return self._events.popleft()

    # -- plumbing ---------------------------------------------------------------------------------------------

    def _call(
        self, method: str, params: dict[str, Any] | None = None, *,
        payload: SecretBytes | None = None, tty: int | None = None, person: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        return self._call_with_payload(method, params, payload=payload, tty=tty, person=person)[0]

    def _call_with_payload(
        self, method: str, params: dict[str, Any] | None = None, *,
        payload: SecretBytes | None = None, tty: int | None = None, person: bool = False,
    ) -> tuple[dict[str, Any], bytearray]:  # fmt: skip
        self._next_id += 1
        message = {"id": self._next_id, "method": method, "params": params or {}}
        parts = wire.encode(message, payload.view() if payload is not None else b"")
        try:
            self._send(parts, tty)
            return self._answer(self._next_id, APPROVAL_TIMEOUT if person else ANSWER_TIMEOUT)
        except OSError as error:
            raise _gone(error.strerror or "connection lost") from None

    def _send(self, parts: list[bytes | memoryview], tty: int | None) -> None:
        data = b"".join(parts)
        if tty is None:
            self._socket.sendall(data)
            return
        client_side().send_with_handle(self._socket, data, tty)

    def _answer(self, wanted: int, timeout: float) -> tuple[dict[str, Any], bytearray]:
        end = time.monotonic() + timeout
        while True:
            found: tuple[wire.Message, bytearray] | None = None
            for message, payload in self._receive(end - time.monotonic()):  # to its end: events may come along
                if message.get("id") == wanted:
                    found = message, payload
                else:
                    self._keep(message)
            if found is None:
                continue
            error = found[0].get("error")
            if error:
                raise from_wire(str(error["code"]), str(error["message"]), str(error.get("hint", "")))
            return found[0]["result"], found[1]

    def _receive(self, timeout: float | None = None) -> Iterator[tuple[wire.Message, bytearray]]:
        self._socket.settimeout(None if timeout is None else max(0.01, timeout))
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise Unavailable("unavailable.broker", "the broker does not answer", "Try `locum broker stop`.") from None
        if not data:
            raise _gone("it has ended")
        yield from self._reader.feed(data)

    def _keep(self, message: wire.Message) -> None:
        if message.get("event") == "dropped":
            error = message["error"]
            raise from_wire(str(error["code"]), str(error["message"]), str(error.get("hint", "")))
        if "event" in message:
            self._events.append(message)


def connect(*, start: bool = True, timeout: float = 5.0) -> BrokerClient:
    """Connect to this user's broker; start one when there is none and `start` is set.

    Raises Unavailable: `unavailable.none` (no broker, not asked to start one), `unavailable.start` (it did not start).
    """
    paths = user_paths()
    client = _try_connect(paths)
    if client is not None:
        return client
    if not start:
        raise Unavailable("unavailable.none", "no broker is running", "It starts by itself with the first task.")
    from locum.broker.start import start_broker  # subprocess: only when needed

    client = start_broker(paths, lambda: _try_connect(paths), timeout=timeout)
    if client is None:
        raise Unavailable("unavailable.start", "the broker did not start", f"See {paths.broker_log}.")
    return client


def is_running() -> bool:
    """Say whether a broker seems to be there, without connecting (one stat call)."""
    return user_paths().socket.exists()


def control_channel() -> Any:
    """Start a broker and hold its control channel (`start.ControlChannel`), or return None when another holds it."""
    from locum.broker.start import start_with_control

    return start_with_control(user_paths())


def paired_channel() -> Any:
    """Ask to share the control channel that another editor holds (`start.ControlChannel`). Raises NotAllowed, Unavailable."""
    from locum.broker.start import pair

    return pair()


def start_with_control() -> Any:
    """Same as `control_channel`."""
    return control_channel()


def _try_connect(paths: Paths) -> BrokerClient | None:
    stream = client_side().connect(paths)
    return None if stream is None else BrokerClient(stream)


def _gone(why: str) -> LocumError:
    return Unavailable("unavailable.broker", f"the broker is gone: {why}", "Run the command again.")
