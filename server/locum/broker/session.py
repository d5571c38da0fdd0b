"""Tells when the machine is about to sleep and when this user's screen is locked: logind's signals on the system bus.

Linux with systemd-logind or elogind only (org.freedesktop.login1(5)). Absence is no error: then a suspend is noticed
afterwards by the clocks (`leases.SleepDetector`), and a locked screen not at all.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
SLEEPS = "the machine goes to sleep"
LOCKED = "the screen was locked"

_LOGIND = "org.freedesktop.login1"
_MANAGER, _SESSION = f"{_LOGIND}.Manager", f"{_LOGIND}.Session"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_ANSWER_WITHIN = 3.0


class SessionWatch:
    """Calls `tell` with the reason, in a thread of its own, each time when leases should end.

    It listens as long as the bus lives, or the process. `listening` is set once it does; without a bus it never is.
    """

    def __init__(self, tell: Callable[[str], None], bus: str = "") -> None:
        self._tell, self._bus = tell, bus or SYSTEM_BUS
        self.listening = threading.Event()
        threading.Thread(target=self._listen, name="session", daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(Exception):  # no library, no bus, a bus that ends or says what we do not understand
            self._serve()

    def _serve(self) -> None:
        bus, rule = _jeepney(), _jeepney().MatchRule
        changed = rule(type="signal", sender=_LOGIND, interface=_PROPERTIES, member="PropertiesChanged")
        changed.add_arg_condition(0, _SESSION)
        with self._connect() as connection:
            for wanted in (
                rule(type="signal", sender=_LOGIND, interface=_MANAGER, member="PrepareForSleep"),
                rule(type="signal", sender=_LOGIND, interface=_SESSION, member="Lock"),
                changed,
            ):
                connection.send_and_get_reply(bus.message_bus.AddMatch(wanted), timeout=_ANSWER_WITHIN)
            self.listening.set()
            while True:
                reason = self._reason(connection.receive())
                if reason:
                    self._tell(reason)

    def _reason(self, message: Any) -> str:
        fields, body, name = message.header.fields, message.body, _jeepney().HeaderFields
        interface, member = fields.get(name.interface), fields.get(name.member)
        reason = ""
        if (interface, member) == (_MANAGER, "PrepareForSleep") and body == (True,):
            reason = SLEEPS
        elif (interface, member) == (_SESSION, "Lock") or (
            (interface, member) == (_PROPERTIES, "PropertiesChanged") and body[1].get("LockedHint") == ("b", True)
        ):
            reason = LOCKED
        if not reason or not self._is_logind(fields.get(name.sender)):
            return ""
        return reason if reason == SLEEPS or self._is_ours(str(fields.get(name.path))) else ""

    def _is_logind(self, sender: object) -> bool:
        """Say whether logind sent it: a signal that is addressed to us comes whatever we have asked for."""
        return self._ask(_jeepney().message_bus.GetNameOwner(_LOGIND)) == (sender,)

    def _is_ours(self, session: str) -> bool:
        """Say whether a session is this user's: others lock their screens too. One that cannot be asked counts as ours."""
        bus = _jeepney()
        owner = self._ask(bus.Properties(bus.DBusAddress(session, _LOGIND, _SESSION)).get("User"))
        try:
            return int(owner[0][1][0]) == os.geteuid()
        except (IndexError, TypeError, ValueError):
            return True

    def _ask(self, question: Any) -> tuple[Any, ...]:
        """Ask on a connection of its own: signals that come meanwhile wait on the other one. Return () for an error."""
        with self._connect() as connection:
            answer = connection.send_and_get_reply(question, timeout=_ANSWER_WITHIN)
        return () if answer.header.message_type is _jeepney().MessageType.error else answer.body

    def _connect(self) -> Any:
        return import_module("jeepney.io.blocking").open_dbus_connection(self._bus)


def _jeepney() -> Any:
    """Return the D-Bus library that keyring brings along on Linux. It has no types. Raises ImportError."""
    return import_module("jeepney")
