"""What went between an editor and the language server in a test, and where in it a value stood."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.bed import ARTEFACTS
from support.home import ROOT, Home

DOCUMENT_TEXT = {"textDocument/didOpen", "textDocument/didChange", "textDocument/didSave"}
"""The messages in which an editor hands over a document's text; nothing else may hold a value."""


class Transcript:
    """A `locum` program whose language server is recorded. `program` is what an editor is told to start."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.folder = folder / "transcript"
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        self.program = self.bin / "locum"
        locum = f"PYTHONPATH={shlex.quote(str(ROOT / 'server'))} exec {shlex.quote(sys.executable)}"
        tee = f"{shlex.quote(str(Path(__file__).with_name('tee.py')))} {shlex.quote(str(self.folder))}"
        self.program.write_text(
            "#!/bin/sh\n"
            f'case "$1" in\nlsp) {locum} {tee} {shlex.quote(sys.executable)} -m locum "$@" ;;\n'
            f'*) {locum} -m locum "$@" ;;\nesac\n'
        )
        self.program.chmod(0o755)
        self.env = home.env | {"PATH": f"{self.bin}:{home.env['PATH']}"}
        del self.env["PYTHONPATH"]  # the program brings its own; what an editor starts otherwise needs none

    def keep(self, name: str) -> None:
        """Leave a copy among the artefacts, for whoever looks into a failure. Its secrets are made up."""
        if self.folder.exists():
            shutil.rmtree(ARTEFACTS / name, ignore_errors=True)
            shutil.copytree(self.folder, ARTEFACTS / name)

    def servers(self) -> list[int]:
        """Return the process ids of the recorded servers that run now (of their recorders, which they end with)."""
        pids = sorted(int(path.stem) for path in self.folder.glob("*.client"))
        return [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists()]

    def client(self) -> list[dict[str, Any]]:
        """Return what the editor said, in order, of all servers of the test."""
        return list(self._messages("*.client"))

    def server(self) -> list[dict[str, Any]]:
        """Return what the server said."""
        return list(self._messages("*.server"))

    def assert_only_document_text_holds(self, value: str) -> None:
        """Fail when a value stands anywhere but in the text of the editor's own documents."""
        secret = value.encode()
        for path in [*self.folder.glob("*.server"), *self.folder.glob("*.stderr")]:
            assert secret not in path.read_bytes(), f"the value is in {path.name}"
        telling = [message for message in self.client() if value in json.dumps(message)]
        assert telling, "the editor never sent the value: this transcript proves nothing"
        assert {message.get("method") for message in telling} <= DOCUMENT_TEXT

    def _messages(self, pattern: str) -> Iterator[dict[str, Any]]:
        paths = sorted(self.folder.glob(pattern))
        assert paths, f"no transcript in {self.folder}"
        for path in paths:
            data = path.read_bytes()
            while data:
                header, _, rest = data.partition(b"\r\n\r\n")
                size = int(header.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                if len(rest) < size:
                    break  # cut off when the editor ended
                yield json.loads(rest[:size])
                data = rest[size:]
