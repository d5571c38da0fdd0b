"""A user without rights, for tests that root runs: who it is, and a Python that it may run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from support.home import ROOT

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]


def python_for_nobody() -> Iterator[str]:
    """Give a Python that a user without rights may run, with what Locum needs: root's own may lie in root's folder."""
    base = Path(tempfile.mkdtemp(prefix="mount-python-"))
    base.chmod(0o755)
    packages = base / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "locum.pth").write_text(f"{ROOT / 'server'}\n{sysconfig.get_path('purelib')}\n")
    (base / "bin").mkdir()
    found = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
    (base / "pyvenv.cfg").write_text(f"home = {Path(found).parent}\n")
    python = base / "bin" / "python3"
    python.symlink_to(found)
    check = f"import sys, locum.cli.run; assert sys.version_info[:2] == {sys.version_info[:2]}"
    done = subprocess.run([*AS_NOBODY, python, "-I", "-c", check], capture_output=True)
    yield str(python) if done.returncode == 0 else ""
    shutil.rmtree(base)
