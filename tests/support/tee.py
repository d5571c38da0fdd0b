"""Run a language server and keep a copy of every byte it hears and says.

    tee.py FOLDER COMMAND…

Files in FOLDER, by this process's id: `PID.client` (what the editor sent), `PID.server` (what it got), `PID.stderr`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO


def _copy(source: int, target: IO[bytes], record: Path) -> None:
    with record.open("wb", buffering=0) as copy:
        while data := os.read(source, 65536):
            copy.write(data)
            try:
                target.write(data)
                target.flush()
            except BrokenPipeError:
                break
    target.close()


def main() -> int:
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert server.stdin
    assert server.stdout
    assert server.stderr
    name = str(os.getpid())
    said = threading.Thread(
        target=_copy, args=(server.stdout.fileno(), sys.stdout.buffer, folder / f"{name}.server"), daemon=True
    )
    complained = threading.Thread(
        target=_copy, args=(server.stderr.fileno(), sys.stderr.buffer, folder / f"{name}.stderr"), daemon=True
    )
    heard = threading.Thread(target=_copy, args=(0, server.stdin, folder / f"{name}.client"), daemon=True)
    for thread in (said, complained, heard):
        thread.start()
    code = server.wait()
    said.join(5)
    complained.join(5)
    os._exit(code)  # the thread that listens to the editor would keep us here


if __name__ == "__main__":
    sys.exit(main())
