"""A very small editor: speaks LSP to the real server over its standard streams, as an editor does. For the tour only.

It keeps documents in memory, takes pushed diagnostics, and applies the edits that the server asks for.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from locum.errors import Unavailable
from locum.text.edits import Edit, apply_edits
from locum.text.source import SourceText

Json = dict[str, Any]

_CAPABILITIES: Json = {
    "general": {"positionEncodings": ["utf-16"]},
    "workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True}},
    "textDocument": {
        "publishDiagnostics": {"versionSupport": True, "dataSupport": True},
        "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}}, "dataSupport": True},
    },
}
_LANGUAGES = {".py": "python", ".js": "javascript", ".json": "json", ".env": "dotenv", ".toml": "toml"}


class SmallEditor:
    """One server process and the documents that are open in it."""

    def __init__(self, command: Sequence[str], *, root: Path, env: Mapping[str, str], timeout: float = 30) -> None:
        self._timeout = timeout
        self._server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(env), cwd=root
        )
        self._texts: dict[str, SourceText] = {}
        self._versions: dict[str, int] = {}
        self._diagnostics: dict[str, tuple[int, list[Json]]] = {}
        self._answers: dict[int, queue.Queue[Json]] = {}
        self._changed = threading.Condition()
        self._last_id = 0
        threading.Thread(target=self._listen, daemon=True).start()
        folder = {"uri": root.as_uri(), "name": root.name}
        self.request(
            "initialize",
            {
                "processId": None, "rootUri": root.as_uri(), "workspaceFolders": [folder], "capabilities": _CAPABILITIES,
                "clientInfo": {"name": "locum tour"}, "initializationOptions": {"approvals": "client"},
            },
        )  # fmt: skip
        self.notify("initialized", {})

    def open(self, path: Path) -> list[Json]:
        """Open a file and return its diagnostics."""
        uri = path.as_uri()
        self._texts[uri] = SourceText.from_bytes(path.read_bytes())
        self._versions[uri] = 1
        language = _LANGUAGES.get(path.suffix or path.name, "plaintext")
        document = {"uri": uri, "languageId": language, "version": 1, "text": self._texts[uri].text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return self.diagnostics(path)

    def diagnostics(self, path: Path) -> list[Json]:
        """Wait for the diagnostics of the text as it is now."""
        uri = path.as_uri()
        end = time.monotonic() + self._timeout
        with self._changed:
            while self._diagnostics.get(uri, (0, []))[0] < self._versions[uri]:
                if not self._changed.wait(end - time.monotonic()):
                    raise Unavailable("unavailable.server", f"no diagnostics for {path.name}")
            return self._diagnostics[uri][1]

    def text(self, path: Path) -> SourceText:
        """Return a document as it stands in the editor."""
        return self._texts[path.as_uri()]

    def fix(self, path: Path, diagnostic: Json) -> Json:
        """Choose the preferred quick fix of a diagnostic, run its command and return what the server answers."""
        context = {"diagnostics": [diagnostic], "only": ["quickfix"], "triggerKind": 1}
        place = {"textDocument": {"uri": path.as_uri()}, "range": diagnostic["range"], "context": context}
        actions = cast("list[Json]", self.request("textDocument/codeAction", place) or [])
        for action in actions:
            if action.get("isPreferred"):
                return self.request("workspace/executeCommand", action["command"])
        return {"applied": False, "reason": "the server offers no fix"}

    def save(self, path: Path) -> None:
        """Write a document to disk."""
        uri = path.as_uri()
        path.write_bytes(self._texts[uri].to_bytes())
        self.notify("textDocument/didSave", {"textDocument": {"uri": uri}})

    def request(self, method: str, params: Any) -> Any:
        """Send a request and wait for its result. Raises Unavailable for an error or no answer."""
        self._last_id += 1
        answer: queue.Queue[Json] = queue.Queue()
        self._answers[self._last_id] = answer
        self._send({"id": self._last_id, "method": method, "params": params})
        try:
            message = answer.get(timeout=self._timeout)
        except queue.Empty:
            raise Unavailable("unavailable.server", f"the server did not answer {method}") from None
        if "error" in message:
            raise Unavailable("unavailable.server", f"the server refused {method}: {message['error'].get('message')}")
        return message.get("result")

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def close(self) -> None:
        """Shut the server down."""
        try:
            self.request("shutdown", None)
            self.notify("exit", None)
            self._server.wait(5)
        except (Unavailable, OSError, subprocess.TimeoutExpired):
            self._server.kill()
            self._server.wait()

    def _send(self, message: Json) -> None:
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        stream = self._server.stdin
        assert stream is not None
        stream.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        stream.flush()

    def _listen(self) -> None:
        stream = self._server.stdout
        assert stream is not None
        while True:
            size = 0
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    size = int(value)
            if not size:
                return
            self._take(json.loads(stream.read(size)))

    def _take(self, message: Json) -> None:
        method, number = message.get("method"), message.get("id")
        if method == "workspace/applyEdit":
            self._send({"id": number, "result": {"applied": self._apply(message["params"]["edit"])}})
        elif method is not None and number is not None:
            self._send({"id": number, "result": None})
        elif method == "textDocument/publishDiagnostics":
            params = message["params"]
            with self._changed:
                self._diagnostics[params["uri"]] = (params.get("version") or 0, params["diagnostics"])
                self._changed.notify_all()
        elif isinstance(number, int) and number in self._answers:
            self._answers.pop(number).put(message)

    def _apply(self, edit: Json) -> bool:
        for change in edit.get("documentChanges", []):
            document = change["textDocument"]
            uri = document["uri"]
            if uri not in self._texts or document.get("version") not in {None, self._versions[uri]}:
                return False
            source = self._texts[uri]
            edits = [
                Edit(_offset(source, e["range"]["start"]), _offset(source, e["range"]["end"]), e["newText"])
                for e in change["edits"]
            ]
            self._texts[uri] = source.with_text(apply_edits(source.text, edits))
            self._versions[uri] += 1
            identity = {"uri": uri, "version": self._versions[uri]}
            self.notify(
                "textDocument/didChange",
                {"textDocument": identity, "contentChanges": [{"text": self._texts[uri].text}]},
            )
        return True


def _offset(source: SourceText, position: Json) -> int:
    return source.offset(position["line"], position["character"], "utf-16")
