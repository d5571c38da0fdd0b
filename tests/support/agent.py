"""A make-believe AI agent: a process that starts what it is told to, as agents start hooks, servers and shells.

agent.py     reads JSON lines {"run": ARGV} or {"start": ARGV}, answers {"code": …, "out": …, "err": …} or {"pid": …}
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Agent:
    """One agent, as a test holds it."""

    def __init__(self, env: Mapping[str, str], cwd: Path, *, under: Sequence[str] = ()) -> None:
        """Start it, perhaps `under` another command."""
        self.process = subprocess.Popen(
            [*under, sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=cwd,
            start_new_session=True,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def run(self, *argv: str, check: int | None = 0) -> str:
        """Let it run a command to its end; return what that printed, errors too."""
        said = self._say({"run": argv})
        assert check is None or said["code"] == check, said
        return said["out"] + said["err"]

    def start(self, *argv: str) -> int:
        """Let it start a command in a session of its own; return its process."""
        return self._say({"start": argv})["pid"]

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def _say(self, message: Mapping[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def asks(call: str) -> list[str]:
    """Return a command that calls the broker's client and prints the answer as JSON; an error's code, and exit code 9."""
    program = (
        "import json, sys\nfrom locum.broker.client import connect\nfrom locum.errors import LocumError\n"
        f"try:\n  with connect() as client: print(json.dumps(client.{call}))\n"
        "except LocumError as error: print(error.code); sys.exit(9)\n"
    )
    return [sys.executable, "-c", program]


def _serve() -> None:
    for line in sys.stdin:
        message: dict[str, Sequence[str]] = json.loads(line)
        if "start" in message:
            child = subprocess.Popen(
                message["start"], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            said: dict[str, Any] = {"pid": child.pid}
        else:
            done = subprocess.run(message["run"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
            said = {"code": done.returncode, "out": done.stdout, "err": done.stderr}
        os.write(1, json.dumps(said).encode() + b"\n")


if __name__ == "__main__":
    _serve()
