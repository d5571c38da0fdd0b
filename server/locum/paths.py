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
    def policy(self) -> Path:
        """The user's policy, for people to read; what is in force is signed."""
        return self.config / "policy.toml"

    @property
    def admin_policy(self) -> Path:
        """The administrator's policy. No variable moves it: whoever sets variables is who it is there for."""
        if os.name == "nt":
            return Path(r"C:\ProgramData\locum\policy.toml")
        return Path("/etc/locum/policy.toml")

    @property
    def journal(self) -> Path:
        """What others have issued for leases and must take back: one sealed file each."""
        return self.state / "upstream"

    @property
    def agents(self) -> Path:
        """What AI agents did, as their hooks noted it: one file of JSON lines a day. Holds no value."""
        return self.state / "agents"

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


def memory_dir(paths: Paths) -> Path | None:
    """Return a folder of this user in memory (it may not exist yet), None when this system has none.

    The runtime folder where it is a tmpfs, else one in /dev/shm (shm_overview(7)). Linux: read from /proc/self/mounts.
    """
    for folder, place in ((paths.runtime, paths.runtime), (Path("/dev/shm"), Path(f"/dev/shm/locum-{_own_uid()}"))):  # noqa: S108 - private_dir looks whose it is
        if _is_in_memory(folder):
            return place / "leases"
    return None


LEASE_PREFIX = "lease-"
"""How folders of leases are called: `lease-PID-…`, after the launcher that made them."""


def sweep_leases(folder: Path) -> None:
    """Remove what launchers that were killed have left behind in the folder of `memory_dir`."""
    for left in folder.glob(f"{LEASE_PREFIX}*-*"):
        pid = left.name.split("-")[1]
        if pid.isdigit() and not Path("/proc", pid).exists():
            import shutil

            shutil.rmtree(left, ignore_errors=True)


def _own_uid() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _is_in_memory(folder: Path) -> bool:
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    real = os.path.realpath(folder)
    best, kind = "", ""
    for line in mounts:
        fields = line.split(" ")
        at = fields[1].encode("utf-8", "surrogateescape").decode("unicode_escape") if "\\" in fields[1] else fields[1]
        if (real == at or real.startswith(at.rstrip("/") + "/")) and len(at) >= len(best):
            best, kind = at, fields[2]
    return kind in {"tmpfs", "ramfs"}


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
