"""The keyring slot against a real Secret Service (gnome-keyring on a D-Bus of its own), and against its absence.

Each test runs its commands inside `dbus-run-session`, with a home and XDG folders of its own; the daemon ends with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.home import Home, canary
from support.tokens import github_token

pytestmark = pytest.mark.keyring

MISSING = [
    name
    for name in ("gnome-keyring-daemon", "dbus-run-session", "dbus-send", "secret-tool")
    if shutil.which(name) is None
]
if MISSING and os.environ.get("LOCUM_REQUIRE_BED") != "1":
    pytest.skip(f"not installed: {', '.join(MISSING)}", allow_module_level=True)


DIRECTLY = """
import errno, os, sys
from pathlib import Path
from locum.errors import LocumError
from locum.secret import SecretBytes
from locum.vaults.local.keyslots import KeyFileSlot, KeyringSlot
from locum.vaults.local.store import LocalVault
vault = LocalVault(Path(os.environ["LOCUM_HOME"]) / "own" / "vault.locum")
"""


class Desktop:
    """A user with a keyring: scripts run in a session of theirs."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        names = {
            "HOME": "u",
            "XDG_RUNTIME_DIR": "run",
            "XDG_DATA_HOME": "share",
            "XDG_CONFIG_HOME": "config",
            "XDG_CACHE_HOME": "cache",
        }
        self.env = home.env | {name: str(folder / place) for name, place in names.items()}
        for place in names.values():
            (folder / place).mkdir(mode=0o700)
        for name in ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"):
            self.env.pop(name, None)
        self.locum = " ".join(home.command())

    def python(self, name: str, text: str) -> str:
        """Write a program that uses the vault directly; return its command line for a script."""
        place = self.home.project / f"{name}.py"
        place.write_text(DIRECTLY + text)
        return f"{sys.executable} {place}"

    def session(self, script: str, *, unlock: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script in a D-Bus session with a keyring; LOCUM stands for our command."""
        start = (
            "printf pw | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null 2>&1\n"
            if unlock
            else ""
        )
        lines = (
            start + script.replace("LOCUM", self.locum) + f"\ncode=$?\n{self.locum} broker stop >/dev/null\nexit $code"
        )
        return subprocess.run(
            ["dbus-run-session", "--", "bash", "-c", lines], env=self.env | env, cwd=self.home.project, capture_output=True, text=True,
            timeout=90, start_new_session=True,
        )  # fmt: skip


@pytest.fixture
def desktop(home: Home, tmp_path: Path) -> Desktop:
    return Desktop(home, tmp_path)


def test_a_vault_that_the_keyring_opens(desktop: Desktop) -> None:
    value = canary()
    made = desktop.session(f"LOCUM vault init --keyring && printf %s {value} | LOCUM secret set API_KEY --stdin")
    assert made.returncode == 0, made.stderr
    assert "opened by a keyring" in made.stdout
    again = desktop.session("LOCUM secret list && LOCUM vault status")
    assert again.returncode == 0, again.stderr
    assert "API_KEY" in again.stdout
    assert "keyring" in again.stdout
    everything = [path.read_bytes() for path in Path(desktop.env["HOME"]).parent.rglob("*") if path.is_file()]
    assert not any(value.encode() in raw for raw in everything)


def test_the_first_secret_makes_a_vault_where_a_keyring_answers(desktop: Desktop) -> None:
    done = desktop.session("printf x1234567 | LOCUM secret set FIRST --stdin && LOCUM secret list")
    assert done.returncode == 0, done.stderr
    assert "FIRST" in done.stdout


def test_init_chooses_the_keyring(desktop: Desktop) -> None:
    assert "opened by a keyring" in desktop.session("LOCUM vault init").stdout


def test_a_locked_keyring_is_told_in_time(desktop: Desktop) -> None:
    desktop.session("LOCUM vault init --keyring")
    done = desktop.session(
        "gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1; LOCUM secret list", unlock=False
    )
    assert done.returncode == 3
    assert "keyring is locked" in done.stderr
    assert "Unlock it" in done.stderr


def test_a_locked_keyring_leaves_files_as_they_are(desktop: Desktop) -> None:
    desktop.session("LOCUM vault init --keyring")
    (desktop.home.project / "app.py").write_text(text := f'TOKEN = "{github_token()}"\n')
    done = desktop.session(
        "gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1; LOCUM fix --all", unlock=False
    )
    assert done.returncode == 3
    assert "keyring is locked" in done.stderr
    assert (desktop.home.project / "app.py").read_text() == text
    assert not (desktop.home.project / "locum.toml").exists()
    assert desktop.session("LOCUM fix --all && LOCUM secret list").returncode == 0
    assert "GITHUB_TOKEN" in (desktop.home.project / "app.py").read_text()


def test_an_agent_in_the_sandbox_does_not_reach_the_keyring(desktop: Desktop) -> None:
    value = canary()
    look = "secret-tool lookup service test"
    done = desktop.session(
        f"printf %s {value} | secret-tool store --label x service test && echo outside: $({look})\n"
        f"LOCUM sandbox -- sh -c 'echo inside: $({look} 2>&1); python3 -c \"import keyring; print(keyring.get_password(1, 2))\" 2>&1'"
    )
    assert f"outside: {value}" in done.stdout, done.stderr
    assert "inside:" in done.stdout, done.stderr
    assert done.stdout.count(value) == 1
    assert value not in done.stderr


@pytest.mark.parametrize("address", ["", "unix:path=/nonexistent/bus"])
def test_no_bus_is_told_and_nothing_weaker_is_used(desktop: Desktop, address: str) -> None:
    desktop.session("LOCUM vault init --keyring && printf x1234567 | LOCUM secret set API_KEY --stdin")
    env = desktop.env | ({"DBUS_SESSION_BUS_ADDRESS": address} if address else {})
    done = subprocess.run(
        desktop.home.command("secret", "list"),
        env=env,
        cwd=desktop.home.project,
        capture_output=True,
        text=True,
        timeout=60,
    )
    desktop.home.close()
    assert done.returncode == 3
    assert "no keyring answers here" in done.stderr
    assert "--passphrase" in done.stderr


def test_a_keyring_without_our_key_is_told(desktop: Desktop, tmp_path: Path) -> None:
    desktop.session("LOCUM vault init --keyring")
    shutil.rmtree(tmp_path / "share")
    (tmp_path / "share").mkdir(mode=0o700)
    done = desktop.session("LOCUM secret list")
    assert done.returncode == 3
    assert "no key for this vault" in done.stderr


def test_a_planted_backend_never_runs(desktop: Desktop, tmp_path: Path) -> None:
    """Neither an environment variable, nor keyring's configuration file, nor a Python path of the caller is honoured."""
    evil = tmp_path / "evil"
    evil.mkdir()
    (evil / "planted.py").write_text(
        f"open({str(tmp_path / 'owned')!r}, 'w')\nfrom keyring.backends.null import Keyring\n"
    )
    for base in (Path(desktop.env["XDG_CONFIG_HOME"]), Path(desktop.env["HOME"]) / ".config"):
        (base / "python_keyring").mkdir(parents=True)
        (base / "python_keyring" / "keyringrc.cfg").write_text(
            f"[backend]\ndefault-keyring=planted.Keyring\nkeyring-path={evil}\n"
        )
    done = desktop.session(
        "LOCUM vault init --keyring && LOCUM secret list", PYTHON_KEYRING_BACKEND="planted.Keyring",
        PYTHONPATH=desktop.env["PYTHONPATH"] + ":" + str(evil),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "owned").exists()


WATCH = """
import pathlib, sys, time
seen = set()
while not pathlib.Path(sys.argv[1]).exists():
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            seen.add(path.read_bytes().replace(b"\\0", b" "))
        except OSError:
            pass
sys.stdout.buffer.write(b"\\n".join(seen))
"""


def test_the_key_is_in_no_argument_and_no_environment(desktop: Desktop, tmp_path: Path) -> None:
    done = tmp_path / "done"
    with subprocess.Popen([sys.executable, "-c", WATCH, str(done)], stdout=subprocess.PIPE) as watcher:
        try:
            shown = desktop.session(
                "LOCUM vault init --keyring; secret-tool search --all service locum 2>&1 | grep '^secret' | cut -d' ' -f3"
            )
        finally:
            done.touch()
            seen = watcher.communicate(timeout=30)[0].decode(errors="replace")
    key = shown.stdout.strip().splitlines()[-1]
    assert len(key) == 44
    assert "keyring_probe.py store" in seen
    assert key not in seen


def test_a_fresh_process_opens_it(desktop: Desktop) -> None:
    made = desktop.python(
        "made", "vault.create(KeyringSlot()); vault.unlock(); vault.put('A', SecretBytes(b'x'), must_be_new=True)"
    )
    again = desktop.python("again", "print(vault.unlock(), bytes(vault.get('A').view()))")
    done = desktop.session(f"{made} && {again}")
    assert done.stdout.strip() == "keyring b'x'", done.stderr


def test_a_second_keyring_slot_leaves_the_first_its_key(desktop: Desktop) -> None:
    """Also when the disk is full at that moment: what opened the vault before still opens it, and no key is left over."""
    script = desktop.python("slots", """
vault.create(KeyringSlot())
vault.unlock()
sync = os.fsync
def full(descriptor):
    raise OSError(errno.ENOSPC, "No space left on device")
os.fsync = full
try:
    vault.add_slot(KeyringSlot())
except LocumError as error:
    print(error.code)
os.fsync = sync
print(LocalVault(vault._place.path).unlock())
vault.add_slot(KeyringSlot())
print(LocalVault(vault._place.path).unlock())
""")  # fmt: skip
    done = desktop.session(f"{script} && secret-tool search --all service locum 2>/dev/null | grep -c '^secret'")
    assert done.stdout.split() == ["vault.io", "keyring", "keyring", "2"], done.stderr


def test_a_vault_that_could_not_be_made_leaves_no_key(desktop: Desktop) -> None:
    script = desktop.python("full", """
def full(descriptor):
    raise OSError(errno.ENOSPC, "No space left on device")
os.fsync = full
try:
    vault.create(KeyringSlot())
except LocumError as error:
    print(error.code, vault.exists())
""")  # fmt: skip
    done = desktop.session(f"{script}; secret-tool search --all service locum 2>/dev/null | grep -c '^secret'")
    assert done.stdout.split() == ["vault.io", "False", "0"], done.stderr


def test_a_dead_display_is_told(desktop: Desktop) -> None:
    """The keyring is locked and has nowhere to ask for its password."""
    desktop.session("LOCUM vault init --keyring")
    done = desktop.session(
        "gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1; LOCUM secret list", unlock=False,
        DISPLAY=":4242", WAYLAND_DISPLAY="dead-4242",
    )  # fmt: skip
    assert done.returncode == 3
    assert "keyring is locked" in done.stderr
    assert "Unlock it" in done.stderr


def test_one_working_slot_is_enough(desktop: Desktop) -> None:
    """A key file that a person added opens the vault where there is no keyring; and only such a one."""
    made = desktop.python(
        "made",
        "vault.create(KeyringSlot()); vault.unlock(); vault.add_slot(KeyFileSlot(vault._place.path.parent / 'key'))",
    )
    assert desktop.session(made).returncode == 0
    command = desktop.python("again", "print(vault.unlock())").split()
    done = subprocess.run(command, env=desktop.env, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "key-file", done.stderr


def test_a_keyring_that_hangs_is_told(desktop: Desktop) -> None:
    """The daemon is there and stopped: the bus works, and nobody ever answers."""
    made = desktop.python("made", "vault.create(KeyringSlot())")
    hung = desktop.python("hung", """
from locum.vaults.local import keyring_slot
keyring_slot.UNLOCK_SECONDS = 2.0
print(keyring_slot.keyring_status().reason)
try:
    vault.unlock()
except LocumError as error:
    print(error.code, error.message, error.hint)
""")  # fmt: skip
    ask = "dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetConnectionUnixProcessID"
    done = desktop.session(
        f"{made} && daemon=$({ask} string:org.freedesktop.secrets | tr -dc '0-9 ' | awk '{{print $NF}}')\n"
        f"trap 'kill -CONT $daemon' EXIT; kill -STOP $daemon && {hung}"
    )
    lines = done.stdout.splitlines()
    assert len(lines) >= 2, done.stderr
    assert lines[0] == "the keyring does not answer"
    assert lines[1].startswith("locked.keyring the vault is locked: the keyring does not answer")
    assert "--passphrase" in lines[1]


def test_the_keyring_knows_of_a_record_that_was_deleted_with_its_anchor(desktop: Desktop) -> None:
    """A session as it comes: the first broker leaves its anchor, the log is deleted, the next one is told."""
    state = desktop.home.path / "state"
    vault = f"$(tr -d ' ' < {desktop.home.path}/data/vault.locum | grep -o '\"vault\":\"[0-9a-f]*' | head -1 | cut -d'\"' -f4)"
    wait = (
        "for try in $(seq 100); do "
        f"secret-tool lookup service locum username state:{vault} | grep -q ' ' && break; sleep 0.1; done"
    )
    done = desktop.session(
        "LOCUM vault init --keyring && printf x1234567 | LOCUM secret set FIRST --stdin\n"
        f"{wait}; LOCUM audit verify; LOCUM broker stop; sleep 1\n"
        f"rm {state}/audit*; LOCUM secret list >/dev/null\n"
        "for try in $(seq 100); do LOCUM audit verify >out 2>&1 || break; sleep 0.1; done; cat out"
    )
    assert "The record is whole" in done.stdout, done.stdout + done.stderr
    (says, *_) = [text for text in done.stdout.splitlines() if text.startswith("  keyring")]
    assert "vouches for" in says
    assert "records are missing" in done.stdout
    assert "says the keyring" in done.stdout
