"""How a client calls this `locum`: by its absolute path, spelt for the shell that reads it. Pure.

A client that was started by a click on an icon has another PATH than the person's shell, so a name alone is found by accident.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Literal

Shell = Literal["cmd", "powershell"]
"""What a client hands a line to on Windows; elsewhere it is a POSIX shell."""

_PLAIN = re.compile(r"[\w@%+=:,./\\-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Launch:
    """This `locum`, as somebody else starts it."""

    program: str
    """An absolute path, or `locum` where files are shared and everybody has it on the PATH."""
    windows: bool = False
    private: tuple[str, ...] = ()
    """Folders of ours that no agent has business in, absolute, with `/`."""

    def line(self, client: str, shell: Shell = "powershell") -> str:
        """Return the line that runs the hook of a client. Survives spaces and quotes in the path."""
        if not self.windows:
            return shlex.join([self.program, "hook", client])
        path = self.program.replace("\\", "/")  # what bash, PowerShell and cmd all take when nothing has to be quoted
        if _PLAIN.fullmatch(path):
            return f"{path} hook {client}"
        if shell == "cmd":
            return f'"{self.program}" hook {client}'
        quoted = path.replace("'", "''")
        return f"& '{quoted}' hook {client}"


def runs_hook(line: str, client: str) -> bool:
    """Say whether a line, or the words of an entry, run our hook of a client, wherever that `locum` lies."""
    return re.search(rf"""(?:^|[/\\"'&\s])locum(?:\.exe)?["']*\s+hook\s+{re.escape(client)}\b""", line) is not None


def is_ours(program: str) -> bool:
    """Say whether a command is a `locum`, wherever it lies."""
    return re.fullmatch(r"(?:.*[/\\])?locum(?:\.exe)?", program, re.DOTALL) is not None
