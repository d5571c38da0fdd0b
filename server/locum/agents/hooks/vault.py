"""What hooks ask the broker about values: how one is called there, and to keep one that a person pasted.

Only a broker that runs is asked: a hook starts none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locum.errors import LocumError
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from locum.broker.client import BrokerClient

_MOST_NAMES = 20


def name_in_vault(value: str) -> str:
    """Return the name under which the vault has a value; "" where it has none, or cannot be asked."""
    client = _running()
    if client is None:
        return ""
    try:
        with client:
            return client.match_secret(SecretBytes(value.encode("utf-8", "replace")))
    except LocumError:
        return ""


def store_if_allowed(name: str, value: str) -> str:
    """Ask a person, in an editor, whether to keep a value; return the name that it has then, "" for no, or nobody to ask."""
    client = _running()
    if client is None:
        return ""
    try:
        with client:
            if not client.status().get("control"):
                return ""
            taken = {item["name"] for item in client.list_secrets()}
            names = (name, *(f"{name}_{number}" for number in range(2, _MOST_NAMES)))
            free = next((candidate for candidate in names if candidate not in taken), "")
            if free:
                client.store_secret(
                    free, SecretBytes(value.encode("utf-8", "replace")), origin="prompt", new=True, ask=True
                )
            return free
    except LocumError:
        return ""


def _running() -> BrokerClient | None:
    from locum.broker.client import connect, is_running

    if not is_running():
        return None
    try:
        return connect(start=False)
    except LocumError:
        return None
