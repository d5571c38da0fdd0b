"""Sleep and screen lock, on a real message bus with a logind of the test's own."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from locum.broker.session import LOCKED, SLEEPS, SessionWatch
from support.home import Home, canary

if shutil.which("dbus-daemon") is None and os.environ.get("LOCUM_REQUIRE_BED") != "1":
    pytest.skip("not installed: dbus-daemon", allow_module_level=True)
pytest.importorskip("jeepney", reason="comes with keyring on Linux only")

from jeepney import DBusAddress, HeaderFields, MessageType, message_bus, new_method_return, new_signal
from jeepney.io.blocking import DBusConnection, open_dbus_connection

LOGIND = "org.freedesktop.login1"
MANAGER = DBusAddress("/org/freedesktop/login1", LOGIND, f"{LOGIND}.Manager")
OURS, THEIRS = "/org/freedesktop/login1/session/_31", "/org/freedesktop/login1/session/_32"


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    """Run a message bus of the test's own and give its address."""
    address = f"unix:path={tmp_path}/bus"
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1", f"--address={address}"], stdout=subprocess.PIPE
    )
    assert daemon.stdout is not None
    assert daemon.stdout.readline()
    yield address
    daemon.kill()
    daemon.wait()


class Logind:
    """Owns logind's name and says whose a session is; signals go out of the same connection."""

    def __init__(self, bus: str) -> None:
        self.connection = open_dbus_connection(bus)
        self.connection.send_and_get_reply(message_bus.RequestName(LOGIND))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                message = self.connection.receive()
            except OSError:
                return  # the test's bus has ended
            if message.header.message_type is MessageType.method_call:
                session = message.header.fields[HeaderFields.path]
                uid = os.geteuid() if session == OURS else os.geteuid() + 1
                self.connection.send(new_method_return(message, "v", (("(uo)", (uid, "/")),)))


@pytest.fixture
def told(bus: str) -> queue.Queue[str]:
    said: queue.Queue[str] = queue.Queue()
    watch = SessionWatch(said.put, bus)
    assert watch.listening.wait(20)
    return said


def sleep(connection: DBusConnection, *, begins: bool, to: str | None = None) -> None:
    signal = new_signal(MANAGER, "PrepareForSleep", "b", (begins,))
    if to is not None:
        signal.header.fields[HeaderFields.destination] = to
    connection.send(signal)


def lock(logind: Logind, session: str) -> None:
    logind.connection.send(new_signal(DBusAddress(session, LOGIND, f"{LOGIND}.Session"), "Lock"))


def hint(logind: Logind, *, locked: bool) -> None:
    place = DBusAddress(OURS, LOGIND, "org.freedesktop.DBus.Properties")
    body = (f"{LOGIND}.Session", {"LockedHint": ("b", locked)}, [])
    logind.connection.send(new_signal(place, "PropertiesChanged", "sa{sv}as", body))


def test_sleep_and_lock_of_our_own_session_are_told(bus: str, told: queue.Queue[str]) -> None:
    logind = Logind(bus)
    sleep(logind.connection, begins=False)  # that is waking up
    lock(logind, THEIRS)
    hint(logind, locked=False)
    lock(logind, OURS)
    assert told.get(timeout=20) == LOCKED
    hint(logind, locked=True)
    assert told.get(timeout=20) == LOCKED
    sleep(logind.connection, begins=True)
    assert told.get(timeout=20) == SLEEPS
    assert told.empty()


def test_what_another_process_says_is_not_believed(bus: str, told: queue.Queue[str]) -> None:
    logind = Logind(bus)
    with open_dbus_connection(bus) as liar:
        everybody = liar.send_and_get_reply(message_bus.ListNames()).body[0]
        for name in everybody:
            if name.startswith(":"):
                sleep(liar, begins=True, to=name)
        liar.send_and_get_reply(message_bus.GetId())  # the bus has taken the others
    lock(logind, OURS)
    assert told.get(timeout=20) == LOCKED
    assert told.empty()


BROKER = """
import sys
from locum.broker import session
session.SYSTEM_BUS = sys.argv.pop(1)
from locum.broker.serve import main
main()
"""


def test_a_locked_screen_ends_leases_and_their_tasks(bus: str, vault_home: Home) -> None:
    vault_home.store("API_KEY", canary())
    vault_home.run("broker", "stop")
    broker = subprocess.Popen([sys.executable, "-c", BROKER, bus], env=vault_home.env, start_new_session=True)
    socket = vault_home.path / "run" / "agent.sock"
    logind = Logind(bus)
    try:
        for _ in range(1000):
            if socket.exists():
                break
            time.sleep(0.02)
        task = vault_home.terminal("run", "--secret", "API_KEY", "--", "sh", "-c", "echo up $((40+2)); exec sleep 60")
        task.answer()
        task.wait_for("up 42")
        lock(logind, OURS)
        assert task.wait() == 143
        assert LOCKED in task.text
    finally:
        broker.terminate()
        broker.wait(20)


def test_without_a_bus_nothing_is_told_and_nothing_breaks(tmp_path: Path) -> None:
    before = threading.active_count()
    watch = SessionWatch(print, f"unix:path={tmp_path}/none")
    assert not watch.listening.wait(1)
    assert threading.active_count() == before
