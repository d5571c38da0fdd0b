"""The only code that talks to the OS keyring. Runs as a process of its own, so that a hung keyring hangs nothing else.

    python -I keyring_probe.py status|load|store|delete|note|noted ACCOUNT

The key crosses by standard input or output, never by argument or environment. One line of JSON on standard output:
{"ok": true, "key"?: base64} or {"ok": false, "reason": one of locked, missing, unusable, uninstalled,
timeout, denied}.

Backend classes are imported by name. `keyring.get_keyring()` is never called: it would load whatever class a
configuration file, an environment variable or an installed package names, into the process that sees the key.
"""

import json
import os
import sys
from contextlib import closing, suppress
from importlib import import_module

SERVICE = "locum"
BACKENDS = {
    "linux": (
        "keyring.backends.SecretService:Keyring",
        "keyring.backends.libsecret:Keyring",
        "keyring.backends.kwallet:DBusKeyring",
    ),
    "darwin": ("keyring.backends.macOS:Keyring",),
    "win32": ("keyring.backends.Windows:WinVaultKeyring",),
}


def main() -> None:
    """Do one operation."""
    operation, account = sys.argv[1], sys.argv[2]
    # Answers go to a copy of standard output: what a library prints must not become part of them.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        result = work(operation, account)
    except Exception as error:  # noqa: BLE001 - third-party code: only the kind of its failure leaves this process
        result = {"ok": False, "reason": reason_of(type(error).__name__)}
    json.dump(result, answer)
    answer.close()


def reason_of(kind: str) -> str:
    """Return our word for a failure of keyring's, told by the name of its class."""
    known = {"KeyringLocked": "locked", "InitError": "denied", "TimeoutError": "timeout"}
    return known.get(kind, "unusable")


def work(operation: str, account: str) -> dict[str, object]:
    """Find the first backend that is usable here and do the operation with it."""
    try:
        import_module("keyring.backend")
    except ImportError:
        return {"ok": False, "reason": "uninstalled"}
    backend, name, hung = usable_backend()
    if backend is None:
        return {"ok": False, "reason": "timeout" if hung else "unusable"}
    if operation == "status":
        touch(name)
        return {"ok": True, "backend": name}
    if operation in {"note", "noted"}:  # store and load, but only where no dialog can come of it
        if not is_quiet(name):
            return {"ok": False, "reason": "locked"}
        operation = {"note": "store", "noted": "load"}[operation]
    if operation == "store":
        key = sys.stdin.read()
        backend.set_password(SERVICE, account, key)
        return {"ok": backend.get_password(SERVICE, account) == key, "reason": "unusable"}
    if operation == "delete":
        backend.delete_password(SERVICE, account)
        return {"ok": True}
    key = backend.get_password(SERVICE, account)
    return {"ok": True, "key": key} if key else {"ok": False, "reason": "missing"}


def touch(name: str) -> None:
    """Ask the keyring something that it answers without a dialog: a name on the bus is no sign of life."""
    if "SecretService" in name:
        secretstorage = import_module("secretstorage")
        with closing(secretstorage.dbus_init()) as bus, suppress(secretstorage.exceptions.ItemNotFoundException):
            secretstorage.Collection(bus).is_locked()


def is_quiet(name: str) -> bool:
    """Say whether the keyring is open now, so that using it asks nobody for anything."""
    if "SecretService" not in name:
        return "kwallet" not in name and "libsecret" not in name  # these two do not say whether they would ask
    secretstorage = import_module("secretstorage")
    with closing(secretstorage.dbus_init()) as bus, suppress(secretstorage.exceptions.ItemNotFoundException):
        return not secretstorage.Collection(bus).is_locked()
    return False


def usable_backend():  # noqa: ANN201 - third-party class
    """Return an instance of the first backend that works here, its name, and whether one was silent too long."""
    hung = False
    for place in BACKENDS.get(sys.platform, ()):
        module, _, name = place.partition(":")
        try:
            kind = getattr(import_module(module), name)
            if kind.priority > 0:
                return kind(), place, hung
        except Exception as error:  # noqa: BLE001 - every way of not working is "try the next"
            hung = hung or isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError)
    return None, "", hung


if __name__ == "__main__":
    main()
