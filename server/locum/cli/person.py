"""The person at the terminal: their TTY for approvals, their passphrase. Values are never echoed nor taken from argv."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from locum.broker.client import BrokerClient
from locum.errors import LocumError, NotAllowed, UsageProblem
from locum.secret import SecretBytes

T = TypeVar("T")

_MAX_PASSPHRASE = 1024


@contextlib.contextmanager
def terminal() -> Iterator[int | None]:
    """Give a descriptor of the controlling terminal, None when there is none."""
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def with_vault(client: BrokerClient, work: Callable[[], T]) -> T:
    """Do something that needs an open vault; when it is locked by a passphrase, ask for it once and do it again."""
    try:
        return work()
    except NotAllowed as error:
        if not error.code.startswith("locked") or not _has_passphrase_slot(client):
            raise
    passphrase = read_passphrase("Passphrase of your vault: ")
    try:
        client.unlock(passphrase)
    finally:
        passphrase.wipe()
    return work()


def read_passphrase(prompt: str, *, confirm: bool = False) -> SecretBytes:
    """Read from the descriptor that LOCUM_PASSPHRASE_FD names, else from the terminal without echo.

    Raises NotAllowed (`locked.no-terminal`) when there is neither.
    """
    named = os.environ.get("LOCUM_PASSPHRASE_FD")
    if named is not None:
        return _from_descriptor(named)
    with terminal() as tty:
        if tty is None:
            raise NotAllowed(
                "locked.no-terminal", "the vault needs its passphrase, and there is no terminal to ask on",
                "Unlock it in a terminal (`locum vault unlock`), or name a descriptor in LOCUM_PASSPHRASE_FD.",
            )  # fmt: skip
    import getpass

    first = SecretBytes(getpass.getpass(prompt).encode())
    if first.is_empty():
        raise UsageProblem("passphrase.empty", "an empty passphrase protects nothing")
    if confirm and not first.same_as(SecretBytes(getpass.getpass("Once more: ").encode())):
        raise UsageProblem("passphrase.differs", "the two passphrases differ", "Try again.")
    return first


def read_value(prompt: str) -> SecretBytes:
    """Ask for a value on the terminal, without echo. Raises UsageProblem when there is none."""
    with terminal() as tty:
        if tty is None:
            raise UsageProblem("value.no-terminal", "there is no terminal to ask on", "Pipe the value: --stdin")
    import getpass

    return SecretBytes(getpass.getpass(prompt).encode())


def _from_descriptor(named: str) -> SecretBytes:
    try:
        descriptor = int(named)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            line = file.readline(_MAX_PASSPHRASE + 1)
    except (ValueError, OSError):
        raise NotAllowed("locked.fd", "LOCUM_PASSPHRASE_FD names no readable descriptor") from None
    passphrase = SecretBytes(line.rstrip(b"\r\n"))
    if passphrase.is_empty() or len(line) > _MAX_PASSPHRASE:
        raise NotAllowed("locked.fd", "the descriptor in LOCUM_PASSPHRASE_FD gives no passphrase")
    return passphrase


def _has_passphrase_slot(client: BrokerClient) -> bool:
    try:
        return any(slot["type"] == "passphrase" for slot in client.status()["vault"]["slots"])
    except LocumError:
        return False
