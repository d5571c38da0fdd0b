"""Commands as a user without rights, where the tests run as root: root may read everything, and shows nothing.

The interpreter and the repository may lie where only root can go. In a mount namespace of the command's own they are
put where they are, inside of folders that everybody may pass.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.home import ROOT, Home

UID = 61234
"""Nobody's on any system that we know."""

_SCRIPT = """
set -e
stash=$(mktemp -d); uid=$1; paths=$2; closed=$3; shift 3
n=0; for path in $paths; do n=$((n+1)); mkdir $stash/$n; mount --bind "$path" $stash/$n; done
for folder in $closed; do mount -t tmpfs -o mode=755 none "$folder"; done
n=0; for path in $paths; do n=$((n+1)); mkdir -p "$path"; mount --bind $stash/$n "$path"; umount $stash/$n; done
rm -r $stash
exec setpriv --reuid $uid --regid $uid --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs "$@"
"""


def as_other(uid: int = UID) -> list[str]:
    """Return what to put before a command so that it runs as `uid`; nothing when we have no rights to give up."""
    if os.geteuid() != 0:
        return []
    if not (shutil.which("setpriv") and shutil.which("unshare")):
        pytest.skip("no setpriv and unshare (util-linux) to become another user with")
    wanted = dict.fromkeys(os.path.realpath(path) for path in (ROOT, sys.prefix, sys.base_prefix))
    closed = {path: _first_closed(Path(path)) for path in wanted}
    paths = [path for path, folder in closed.items() if folder]
    folders = dict.fromkeys(folder for folder in closed.values() if folder)
    prefix = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        _SCRIPT,
        "sh",
        str(uid),
        " ".join(paths),
        " ".join(folders),
    ]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("this root may not become another user")
    return prefix


def _first_closed(path: Path) -> str:
    """Return the outermost folder above `path` that others may not pass, "" when there is none."""
    above = [*reversed(path.parents), path]
    return next((str(folder) for folder in above if not folder.stat().st_mode & 0o001), "")


class OthersHome(Home):
    """A home that belongs to, and is used by, a user without rights."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.prefix = as_other()
        self.env["HOME"] = str(self.path)
        if self.prefix:
            for folder in (base, self.path, self.project):
                os.chown(folder, UID, UID)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of `locum`."""
        return [*self.prefix, *super().command(*arguments)]

    def start_python(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a script of `support` as that user, in a session of its own."""
        place = Path(__file__).with_name(script)
        return subprocess.Popen(
            [*self.prefix, sys.executable, str(place), *arguments], env=self.env | {"PYTHONPATH": str(ROOT / "server")},
            cwd=self.project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip


@contextmanager
def others_home() -> Iterator[OthersHome]:
    """Give one, outside of pytest's own folders, which are closed to others."""
    base = Path(tempfile.mkdtemp(prefix="locum-"))
    place = None
    try:
        place = OthersHome(base)
        yield place
    finally:
        if place is not None:
            place.close()
        shutil.rmtree(base, ignore_errors=True)
