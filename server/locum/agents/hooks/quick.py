"""`locum hook`, from its first instruction: asks the resident that has everything loaded, else answers by itself.

An agent waits for this before every step, so that nothing is imported here but what the interpreter has built in. The
resident's answer is taken as it is; without one in time, with another version, or for what the caller's own variables decide,
the event is answered in this process.
"""

import os
import sys

from locum import __version__

SOCKET = "hooks.sock"
WAIT = 4.0
"""Seconds for the resident's answer."""
MINE, YOURS = b"\0", b"\1"
"""The first byte of an answer: here it is; or: answer it yourself."""
MARK = f"{__version__}\n{__file__}\n".encode()
"""What both ends must be: a resident of another version does not answer."""
SWITCH = "LOCUM_HOOK_RESIDENT"
"""Set to 0: no resident is asked, and none is started."""


def main(arguments: list[str]) -> int:
    """Answer one event; return the exit code, never one that a client takes for "go on" by accident."""
    try:
        return _main(arguments)
    except Exception as problem:  # noqa: BLE001 - a traceback could hold the event, and its exit code lets the tool run
        sys.stderr.write(f"locum: the hook failed ({type(problem).__name__}), so this was stopped\n")
        return 2


def _main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2, 3) or arguments[0].startswith("-"):
        return _alone(arguments, None)
    raw = sys.stdin.buffer.read((32 << 20) + 1)
    where = runtime_folder() if os.environ.get(SWITCH) != "0" else None
    answer = _ask(f"{where}/{SOCKET}", arguments, raw) if where else None
    if answer is None or answer[:1] != MINE:
        return _alone(arguments, raw, start=where is not None and answer is None)
    code, size = answer[1], int.from_bytes(answer[2:6], "big")
    sys.stdout.buffer.write(answer[6 : 6 + size])
    sys.stderr.buffer.write(answer[6 + size :])
    return code


def runtime_folder() -> str | None:
    """Return `user_paths().runtime`, by the same rules and without their imports; None where it takes more to know."""
    environment = os.environ
    home = environment.get("LOCUM_HOME", "")
    if home:
        return f"{home.rstrip('/')}/run" if home.startswith("/") else None
    if not sys.platform.startswith("linux"):
        return None
    base = environment.get("XDG_RUNTIME_DIR", "").strip() or f"/run/user/{os.getuid()}"
    return f"{base}/locum" if os.access(base, os.X_OK) else None


def _ask(path: str, arguments: list[str], raw: bytes) -> bytes | None:
    """Return the resident's answer; None when there is none, or it is not ours."""
    try:
        import _socket  # not `socket`, which imports ten times as much

        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        connection.settimeout(WAIT)
        connection.connect(path)
        peer = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        if int.from_bytes(peer[4:8], sys.byteorder) != os.geteuid():
            return None
        here = os.getcwd()  # noqa: PTH109 - pathlib alone takes longer than all of this
        words = "\0".join([*arguments, *[""] * (3 - len(arguments)), here]).encode("utf-8", "surrogateescape")
        connection.sendall(MARK + len(words).to_bytes(4, "big") + len(raw).to_bytes(4, "big") + words + raw)
        parts: list[bytes] = []
        while part := connection.recv(65536):
            parts.append(part)
        answer = b"".join(parts)
        return answer if answer[:1] == YOURS or _is_whole(answer) else None
    except (ImportError, OSError, AttributeError, ValueError):
        return None


def _is_whole(answer: bytes) -> bool:
    return (
        answer[:1] == MINE
        and len(answer) >= 6
        and answer[1] in (0, 2)
        and int.from_bytes(answer[2:6], "big") <= len(answer) - 6
    )


def _alone(arguments: list[str], raw: bytes | None, *, start: bool = False) -> int:
    from locum.agents.hooks.main import main as answer

    code = answer(arguments, raw)
    if start:
        from locum.agents.hooks.resident import start_one

        sys.stdout.flush()
        start_one()
    return code
