"""Where Locum keeps its own files. Knows the operating system's conventions and `LOCUM_HOME`, nothing else.

`LOCUM_HOME=DIR` puts config, data, state and runtime under DIR. Nothing here is ever inside a workspace.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from locum.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class Paths:
    """Four private directories; they may not exist yet (see `private_dir`)."""

    config: Path
    data: Path
    state: Path
    runtime: Path

    @property
    def vault(self) -> Path:
        """The local vault's one file."""
        return self.data / "vault.locum"

    @property
    def socket(self) -> Path:
        """The broker's `agent.sock`."""
        return self.runtime / "agent.sock"

    @property
    def audit(self) -> Path:
        """The audit log (JSON lines)."""
        return self.state / "audit.jsonl"

    @property
    def broker_log(self) -> Path:
        """Where a broker that dies at start says why. Never holds a value."""
        return self.state / "broker.log"


def user_paths() -> Paths:
    """Return this user's directories: under `LOCUM_HOME` if set, else where the system keeps such files."""
    home = os.environ.get("LOCUM_HOME")
    if home:
        base = Path(home).absolute()
        return Paths(base / "config", base / "data", base / "state", base / "run")
    import platformdirs  # 3 ms: only when LOCUM_HOME does not answer

    dirs = platformdirs.PlatformDirs("locum", appauthor=False)
    return Paths(
        Path(dirs.user_config_dir), Path(dirs.user_data_dir), Path(dirs.user_state_dir), Path(dirs.user_runtime_dir)
    )


def private_dir(path: Path) -> Path:
    """Create `path` as a 0700 directory of ours, or check that it is one.

    Raises UsageProblem when it is a link, belongs to somebody else or is open to others.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name != "posix":
        return path
    info = path.lstat()
    if not stat.S_ISDIR(info.st_mode):
        raise UsageProblem("dir.kind", f"{path} is not a directory", "Move it away, then try again.")
    if info.st_uid != os.geteuid():
        raise UsageProblem("dir.owner", f"{path} belongs to another user", "Set LOCUM_HOME to a directory of your own.")
    if info.st_mode & 0o077:
        path.chmod(0o700)  # ours, but too open (an older umask): close it
    return path
