"""A person's terminal that a test holds: start a command on it, read what it shows, type into it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from locum.broker.peer import AGENT_MARKERS

_ANSI = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")


class Terminal:
    """One command on a pseudo-terminal of its own."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, size: tuple[int, int] = (24, 120)
    ) -> None:
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self._status, status = os.pipe()
        clean = {name: value for name, value in env.items() if name not in AGENT_MARKERS} | {"TERM": "xterm-256color"}
        script = Path(__file__).with_name("on_terminal.py")
        subprocess.run(
            [sys.executable, str(script), os.ttyname(slave), str(status), str(cwd), *command],
            env=clean, pass_fds=[status], check=True,
        )  # fmt: skip
        os.close(status)
        os.close(slave)
        self.output = b""
        self._said = b""

    @property
    def text(self) -> str:
        """Everything shown so far, without colours."""
        return _ANSI.sub(b"", self.output).decode("utf-8", "replace")

    def type(self, data: bytes | str) -> None:
        """Type into it."""
        os.write(self.master, data.encode() if isinstance(data, str) else data)

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size, as a person drags it."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, text: str, timeout: float = 20) -> str:
        """Read until `text` is shown. Fails the test with what was shown instead."""
        end = time.monotonic() + timeout
        while text not in self.text:
            assert time.monotonic() < end, f"no {text!r} within {timeout} s; the terminal shows:\n{self.text}"
            self._read(0.1)
        return self.text

    def answer(self, text: str = "y\n") -> None:
        """Wait for the approval prompt and answer it, after its first half second."""
        self.wait_for("Allow")
        time.sleep(0.7)
        self.type(text)

    def pid(self) -> int:
        """Return the command's process id."""
        while b"\n" not in self._said:
            self._said += os.read(self._status, 100)
        return int(self._said.split(b"\n")[0].split()[1])

    def wait(self, timeout: float = 30) -> int:
        """Read to the end and return the exit code (negative: a signal)."""
        end = time.monotonic() + timeout
        while b"exit" not in self._said:
            assert time.monotonic() < end, f"still running after {timeout} s; the terminal shows:\n{self.text}"
            if select.select([self._status], [], [], 0)[0]:
                data = os.read(self._status, 100)
                self._said += data
                assert data or b"exit" in self._said, "the terminal's session died"
            self._read(0.05)
        while self._read(0.2):
            pass
        return int(self._said.strip().split()[-1])

    def read_for(self, seconds: float) -> None:
        """Take in what is shown within that time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self._read(left):
                return

    def close(self) -> None:
        """Hang up."""
        for descriptor in (self.master, self._status):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _read(self, timeout: float) -> bool:
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: nobody has it open any more
            return False
        self.output += data
        return bool(data)
