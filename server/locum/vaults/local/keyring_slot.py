"""The keyring slot: one random key, one item in the OS keyring, asked for through a process with a deadline.

A keyring may wait for a dialog that nobody sees, or for a bus that is dead. The deadline makes that an error that names
the cause; nothing falls back to a weaker slot.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from locum.secret import SecretBytes
from locum.vaults.interface import Ready, Status, Unavailable, VaultLocked

STATUS_SECONDS = 2.0
UNLOCK_SECONDS = 30.0
"""A keyring may ask a person for its own password in the meantime."""
NOTE_SECONDS = 5.0
"""For what nobody waits for."""
NO_NOTE = Unavailable("the keyring holds nothing of it", "")

_PASSED = ("HOME", "USER", "LOGNAME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE", "DISPLAY",
           "WAYLAND_DISPLAY", "XAUTHORITY", "LANG", "SYSTEMROOT", "APPDATA", "LOCALAPPDATA", "USERPROFILE")  # fmt: skip

_REASONS = {
    "locked": ("the keyring is locked", "Unlock it in your desktop, then try again."),
    "missing": ("the keyring has no key for this vault", "It belongs to another user or machine: restore a backup."),
    "unusable": (
        "no keyring answers here",
        "Use a passphrase or a key file: locum vault init --passphrase | --key-file",
    ),
    "uninstalled": ("the keyring library is not there for this Python", "pip install keyring, beside locum"),
    "denied": ("the keyring refused", "Look at your desktop's keyring settings."),
    "timeout": (
        "the keyring does not answer",
        "Unlock or restart it, or use a passphrase: locum vault init --passphrase",
    ),
}


def keyring_status() -> Status:
    """Say whether a keyring of the operating system answers here. Takes at most two seconds, asks nobody."""
    answer = _probe("status", "-", seconds=STATUS_SECONDS)
    if answer.get("ok"):
        return Ready(str(answer.get("backend", "")).rpartition(".")[2].partition(":")[0])
    reason, remedy = _explain(answer)
    return Unavailable(reason, remedy)


def store_key(account: str, key: SecretBytes) -> None:
    """Put a key into the keyring and read it back. Raises VaultLocked."""
    answer = _probe("store", account, stdin=base64.b64encode(key.view()), seconds=UNLOCK_SECONDS)
    if not answer.get("ok"):
        raise VaultLocked("locked.keyring", *_explain(answer))


def load_key(account: str) -> SecretBytes:
    """Return the key. Raises VaultLocked, which says why there is none."""
    answer = _probe("load", account, seconds=UNLOCK_SECONDS)
    try:
        if answer.get("ok"):
            return SecretBytes(base64.b64decode(str(answer.get("key")), validate=True))
    except ValueError:
        answer = {"reason": "missing"}
    raise VaultLocked("locked.keyring", *_explain(answer))


def forget_key(account: str) -> None:
    """Delete the key if it is there. Best effort, never raises."""
    _probe("delete", account, seconds=STATUS_SECONDS)


def keep_note(account: str, text: bytes) -> str:
    """Put a short text that is no secret into the keyring, if it is open: nobody is asked. Return "", or why not."""
    answer = _probe("note", account, stdin=text, seconds=NOTE_SECONDS)
    return "" if answer.get("ok") else _explain(answer)[0]


def read_note(account: str) -> bytes | Unavailable:
    """Return the text that was kept, or why there is none: `NO_NOTE` when the keyring answers and has none."""
    answer = _probe("noted", account, seconds=NOTE_SECONDS)
    if answer.get("ok"):
        return str(answer.get("key")).encode()
    return NO_NOTE if answer.get("reason") == "missing" else Unavailable(*_explain(answer))


def _explain(answer: dict[str, Any]) -> tuple[str, str]:
    return _REASONS.get(str(answer.get("reason")), _REASONS["unusable"])


def _probe(operation: str, account: str, *, seconds: float, stdin: bytes = b"") -> dict[str, Any]:
    command = [sys.executable, "-I", str(Path(__file__).with_name("keyring_probe.py")), operation, account]
    environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
    folder = "/" if os.name == "posix" else None
    try:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
            cwd=folder, start_new_session=True,
        ) as probe:  # fmt: skip
            try:
                output, _ = probe.communicate(stdin, timeout=seconds)
            except subprocess.TimeoutExpired:
                _kill(probe)
                return {"reason": "timeout"}
        answer: Any = json.loads(output)
    except (OSError, ValueError):
        return {"reason": "unusable"}
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {"reason": "unusable"}


def _kill(probe: subprocess.Popen[bytes]) -> None:
    """End the process and what a library may have started from it (they are a session of their own)."""
    if sys.platform == "win32":
        probe.kill()
    else:
        os.killpg(probe.pid, signal.SIGKILL)
