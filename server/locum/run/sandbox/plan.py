"""What a sandboxed agent sees: one list of places, turned into arguments for bubblewrap. Pure but for looking what exists.

The rule: the whole disk read-only, the workspace and the agents' own folders writable, a private /tmp, /run and /dev, its own
process table; and in the place of everything that holds or opens secrets, nothing. Bubblewrap does the mounting (bwrap(1)).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from locum.errors import UsageProblem
from locum.paths import Paths

_HIDDEN = """
.ssh .aws .azure .gnupg .kube .docker .password-store .terraform.d .vault-token .netrc .git-credentials .pypirc .pgpass
.my.cnf .npmrc .yarnrc.yml .cargo/credentials.toml .cargo/credentials .config/gcloud .config/gh .config/glab-cli .config/hub
.config/op .config/sops .config/age .config/rclone .config/doctl .config/containers .config/heroku .config/netlify
.local/share/keyrings .local/share/kwalletd .config/google-chrome .config/chromium .config/BraveSoftware .mozilla
.thunderbird .config/Code/User/globalStorage .config/Kiro/User/globalStorage .vscode-server/data .bash_history
.zsh_history .python_history .node_repl_history .psql_history .mysql_history .local/share/fish .config/fish/fish_history
.config/systemd .tmux .emacs.d/server
"""
_WRITABLE = """
.cache .npm .claude .claude.json .codex .gemini .qwen .cursor .config/opencode .local/share/opencode .local/state/opencode
.config/goose .local/share/goose .aider .continue .kiro .cargo/registry .cargo/git .gradle .m2 .pnpm-store
.local/share/pnpm .bun/install .yarn go/pkg .local/share/uv
"""
_NOT_PASSED = """
DBUS_SESSION_BUS_ADDRESS SSH_AUTH_SOCK SSH_CONNECTION SSH_TTY GPG_AGENT_INFO GPG_TTY DISPLAY WAYLAND_DISPLAY XAUTHORITY
TMUX TMUX_PANE STY WINDOWID DOCKER_HOST XDG_RUNTIME_DIR KUBECONFIG
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


HIDDEN = _words(_HIDDEN)
"""Places of the home folder that hold secrets or open doors to them: not there in the sandbox."""
WRITABLE = _words(_WRITABLE)
"""Places of the home folder that agents and package managers write to."""
NOT_PASSED = frozenset(_words(_NOT_PASSED))
"""Usual variables that lead to what the sandbox hides."""
_PRIVATE = ("/tmp", "/run", "/var/tmp", "/var/run")  # noqa: S108 - the sandbox has its own

TASKS_SOCKET = "tasks.sock"
"""Beside `agent.sock`, inside of the sandbox: where tasks are handed out to be run outside."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What is wanted. All paths absolute and without links."""

    workspace: str
    home: str
    paths: Paths
    tasks_socket: str
    """Outside."""
    readable: tuple[str, ...] = ()
    """Places that are shown although they are hidden otherwise."""
    writable: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    """Folders of Locum's own code, which the sandbox needs wherever they lie."""

    @property
    def tasks_socket_inside(self) -> str:
        """Where the socket is in the sandbox."""
        return os.fspath(self.paths.runtime / TASKS_SOCKET)


def check_workspace(workspace: str, home: str) -> None:
    """Raise UsageProblem (`sandbox.workspace`) for a folder that would make everything writable."""
    if Path(home).is_relative_to(workspace) or workspace == "/":
        raise UsageProblem(
            "sandbox.workspace", f"{workspace} is no project: all of your home would be writable in the sandbox",
            "Start it in the folder of a project.",
        )  # fmt: skip


def arguments(sandbox: Sandbox) -> list[str]:
    """Return bubblewrap's arguments, up to the command."""
    home, shown = sandbox.home, frozenset(sandbox.readable)
    made = [
        "--die-with-parent", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
        "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev",
    ]  # fmt: skip
    for place in _PRIVATE:
        if Path(place).is_dir() and not Path(place).is_symlink():
            made += ["--tmpfs", place]
    for place in ("/run/systemd/resolve", *(place for place in (home, *sandbox.programs) if _is_private(place))):
        made += ["--ro-bind-try", place, place]
    writable = (*(f"{home}/{name}" for name in WRITABLE), *sandbox.writable)
    for place in writable:
        made += ["--bind-try", place, place]
    made += ["--bind", sandbox.workspace, sandbox.workspace]
    hooks = f"{sandbox.workspace}/.git/hooks"  # what git runs later, outside
    made += ["--ro-bind-try", hooks, hooks]
    for place in sandbox.programs:  # a Locum that the agent could write would run outside
        if any(_is_below(place, folder) for folder in (sandbox.workspace, *writable)):
            made += ["--ro-bind-try", place, place]
    for place in (f"{home}/{name}" for name in HIDDEN):
        if place not in shown:
            made += _nothing_at(place)
    for place in sandbox.readable:
        made += ["--ro-bind-try", place, place]
    for folder in (sandbox.paths.config, sandbox.paths.data, sandbox.paths.state, sandbox.paths.runtime):
        made += ["--tmpfs", os.fspath(folder)]
    made += ["--bind-try", os.fspath(sandbox.paths.socket), os.fspath(sandbox.paths.socket)]
    made += ["--bind", sandbox.tasks_socket, sandbox.tasks_socket_inside]
    return [*made, "--chdir", sandbox.workspace]


def _is_below(place: str, folder: str) -> bool:
    return place != folder and Path(place).is_relative_to(folder)


def _is_private(place: str) -> bool:
    return any(Path(place).is_relative_to(folder) for folder in _PRIVATE)


def _nothing_at(place: str) -> list[str]:
    path = Path(place)
    if path.is_dir():
        return ["--tmpfs", place]
    return ["--ro-bind", "/dev/null", place] if path.exists() else []


def environment(passed: Mapping[bytes, bytes], sandbox: Sandbox, more: Iterable[str] = ()) -> dict[bytes, bytes]:
    """Return what the agent gets of the environment: `passed` without what leads out; names of `more` in any case."""
    kept = set(more)
    found = {name: value for name, value in passed.items() if name.decode() not in NOT_PASSED or name.decode() in kept}
    return found | {
        b"LOCUM_SANDBOX": os.fsencode(sandbox.tasks_socket_inside),
        b"AI_AGENT": b"locum-sandbox",
        b"TMPDIR": b"/tmp",
    }


def places(texts: Sequence[str]) -> tuple[str, ...]:
    """Return places as they are without links and `~`. Raises UsageProblem for what is not there."""
    found: list[str] = []
    for text in texts:
        path = Path(text).expanduser()
        if not path.exists():
            raise UsageProblem("sandbox.path", f"{text} is not there", "Name a file or folder that is.")
        found.append(os.path.realpath(path))
    return tuple(found)
