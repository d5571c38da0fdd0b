"""The administrator's file at its real place, seen by nobody but the commands of one test: a mount namespace of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.home import Home, canary


def _can_mount() -> bool:
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    try:
        return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(
    not _can_mount(), reason="/etc is covered in a mount namespace, which takes root on Linux"
)

# /etc itself is covered by a writable layer, so the machine's own /etc is never written to.
COVER = """
set -e
mount -t tmpfs none "$LAYERS"
mkdir "$LAYERS/up" "$LAYERS/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$LAYERS/up,workdir=$LAYERS/work" /etc
mkdir -p /etc/locum
chmod 755 /etc/locum
cp "$ADMIN" /etc/locum/policy.toml
chmod "$MODE" /etc/locum/policy.toml
exec "$@"
"""


class Governed(Home):
    """A home whose every command sees the administrator's file `admin`."""

    admin = ""
    mode = "644"

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of `locum`, in a namespace of its own when there is an administrator's file."""
        if not self.admin:
            return super().command(*arguments)
        file, layers = self.path.parent / "admin.toml", self.path.parent / "layers"
        file.write_text(self.admin)
        layers.mkdir(exist_ok=True)
        told = [f"ADMIN={file}", f"LAYERS={layers}", f"MODE={self.mode}"]
        return ["unshare", "-m", "env", *told, "sh", "-c", COVER, "sh", *super().command(*arguments)]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Governed]:
    home = Governed(tmp_path)
    home.init()
    value = canary()
    home.store("API_KEY", value)
    terminal = home.terminal("policy", "allow", "--secret", "API_KEY", "--", "true")
    terminal.answer("y\n")
    assert terminal.wait() == 0, terminal.text
    home.run("run", "--secret", "API_KEY", "--", "true")
    home.run("broker", "stop")
    yield home
    home.close()


@pytest.mark.parametrize(
    ("admin", "mode", "said"),
    [
        ('[[deny]]\nreference = "API_*"\nreason = "not on this machine"\n', "644", "not on this machine"),
        ('channels = ["fd"]\n', "644", "the channel env"),
        ("max_standing = 0\n", "644", "nobody can be asked"),
        ('always_ask = ["API_KEY"]\n', "644", "nobody can be asked"),
        ("max_tll = 60\n", "644", "cannot be read"),
        ("", "666", "cannot be read"),
    ],
)
def test_it_takes_a_standing_yes_away(home: Governed, admin: str, mode: str, said: str) -> None:
    home.admin, home.mode = admin or "# nothing is said\n", mode
    done = home.run("run", "--secret", "API_KEY", "--", "true", check=3)
    assert said in done.stdout + done.stderr


def test_one_that_says_nothing_changes_nothing(home: Governed) -> None:
    home.admin = "# nothing is said\n"
    home.run("run", "--secret", "API_KEY", "--", "true")
    assert not Path("/etc/locum/policy.toml").exists()
