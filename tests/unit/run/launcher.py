"""A launcher for tests: `launcher.py [--stop-on PATH] COMMAND…` leases $CANARY as $TOKEN, and does what `locum run` does.

`--stop-on PATH` watches a FIFO: a line in it is the reason to stop the task.
`MORE_SECRETS` leases so many made-up ones as well, which the task does not get.
`PATIENCE` sets the seconds between SIGTERM and SIGKILL; `BREAK_MASK` makes the mask raise after so many calls.
"""

from __future__ import annotations

import os
import secrets
import sys

from locum.run import launch as launching
from locum.run.environment import child_environment
from locum.run.launch import StopWatch, launch
from locum.run.masker import Masker
from locum.secret import SecretBytes


def break_mask(calls: int) -> None:
    """Let the mask fail on the call after so many."""
    feed = Masker.feed

    def broken(self: Masker, chunk: bytes) -> bytes:
        nonlocal calls
        calls -= 1
        if calls < 0:
            raise IndexError(chunk)
        return feed(self, chunk)

    Masker.feed = broken


def main() -> int:
    argv = sys.argv[1:]
    stop = None
    if argv[0] == "--stop-on":
        fd = os.open(argv[1], os.O_RDONLY | os.O_NONBLOCK)
        stop = StopWatch(fd, lambda: os.read(fd, 1000).decode().strip() or None)
        argv = argv[2:]
    launching.PATIENCE = float(os.environ.get("PATIENCE", "5"))
    if "BREAK_MASK" in os.environ:
        break_mask(int(os.environ["BREAK_MASK"]))
    value = os.environb.pop(b"CANARY")
    masks = {"locum://TOKEN": SecretBytes(value)}
    for number in range(int(os.environ.get("MORE_SECRETS", "0"))):
        masks[f"locum://MORE_{number}"] = SecretBytes(secrets.token_urlsafe(30).encode())
    environment = child_environment(os.environb, {"TOKEN": SecretBytes(value)})
    code = launch(argv, environment, masks, stop=stop)
    assert all(value.is_empty() for value in masks.values())
    return code


if __name__ == "__main__":
    sys.exit(main())
