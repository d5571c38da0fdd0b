"""A client of the language server for tests: raw JSON-RPC over real pipes, everything recorded, nothing hidden."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import Any

from locum.text.edits import Edit, apply_edits
from locum.text.source import PositionEncoding, SourceText
from support.home import Home

Json = dict[str, Any]

PUSH: Json = {  # what Neovim 0.11 says, as far as we ask
    "general": {"positionEncodings": ["utf-8", "utf-16", "utf-32"]},
    "workspace": {"applyEdit": True, "workspaceEdit": {"resourceOperations": ["rename", "create", "delete"]}},
    "textDocument": {
        "diagnostic": {"dynamicRegistration": False},
        "publishDiagnostics": {"dataSupport": True, "relatedInformation": True},
        "codeAction": {"dataSupport": True, "isPreferredSupport": True, "resolveSupport": {"properties": ["edit"]}},
        "hover": {"contentFormat": ["markdown", "plaintext"]},
    },
    "window": {"workDoneProgress": True, "showMessage": {"messageActionItem": {"additionalPropertiesSupport": False}}},
}
PULL: Json = {  # what VS Code says, as far as we ask
    "general": {"positionEncodings": ["utf-16"]},
    "workspace": {
        "applyEdit": True,
        "workspaceEdit": {"documentChanges": True},
        "diagnostics": {"refreshSupport": True},
    },
    "textDocument": {
        "diagnostic": {"dynamicRegistration": True},
        "publishDiagnostics": {"codeDescriptionSupport": True, "dataSupport": True},
        "codeAction": {"dataSupport": True, "isPreferredSupport": True},
        "hover": {"contentFormat": ["markdown", "plaintext"]},
    },
    "window": {"workDoneProgress": True, "showMessage": {"messageActionItem": {}}},
}


class Client:
    """One server process. `answers` gives the results of the server's own requests, by method."""

    def __init__(
        self, home: Home, capabilities: Mapping[str, Any] = PUSH, *, approvals: str = "client", start: bool = True
    ) -> None:
        self.home = home
        self.process = subprocess.Popen(
            home.command("lsp"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=home.env, cwd=home.project,
        )  # fmt: skip
        self.sent = b""
        self.received = b""
        self.errors = b""
        self.notes: list[Json] = []
        self.requests: list[Json] = []
        self.texts: dict[str, SourceText] = {}
        self.versions: dict[str, int] = {}
        self.answers: dict[str, Callable[[Any], Any]] = {"workspace/applyEdit": self.apply}
        self.fails: set[str] = set()
        """Requests of the server that are answered with an error."""
        self._results: dict[Any, queue.Queue[Json]] = {}
        self._changed = threading.Condition()
        self._last = 0
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._drain, daemon=True).start()
        self.encoding: PositionEncoding = "utf-16"
        if start:
            folder = {"uri": home.project.as_uri(), "name": "project"}
            result = self.request(
                "initialize",
                {
                    "processId": None,
                    "rootUri": folder["uri"],
                    "workspaceFolders": [folder],
                    "capabilities": dict(capabilities),
                    "initializationOptions": {"approvals": approvals},
                },
            )
            self.capabilities: Json = result["capabilities"]
            self.encoding = self.capabilities.get("positionEncoding", "utf-16")
            self.notify("initialized", {})

    # -- plain JSON-RPC ---------------------------------------------------------------------------------------

    def raw(self, data: bytes) -> None:
        self.sent += data
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message: Any) -> None:
        body = json.dumps(message).encode()
        self.raw(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def ask(self, method: str, params: Any, timeout: float = 30) -> Json:
        """Send a request and return the whole answer."""
        self._last += 1
        number = self._last
        self._results[number] = queue.Queue()
        self.send(
            {"jsonrpc": "2.0", "id": number, "method": method} | ({"params": params} if params is not ... else {})
        )
        return self._results[number].get(timeout=timeout)

    def request(self, method: str, params: Any, timeout: float = 30) -> Any:
        answer = self.ask(method, params, timeout)
        assert "error" not in answer, answer
        return answer["result"]

    def notify(self, method: str, params: Any) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def close(self) -> int:
        """Shut down as the specification says and return the exit code."""
        if self.process.poll() is None:
            self.request("shutdown", None)
            self.notify("exit", None)
        return self.process.wait(20)

    # -- documents --------------------------------------------------------------------------------------------

    def open(self, name: str, text: str, language: str = "python", *, uri: str = "") -> str:
        uri = uri or (self.home.project / name).as_uri()
        self.texts[uri], self.versions[uri] = SourceText(text), 1
        self.notify(
            "textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": language, "version": 1, "text": text}}
        )
        return uri

    def change(self, uri: str, *changes: Json, text: str | None = None) -> None:
        self.versions[uri] += 1
        if text is not None:
            self.texts[uri], changes = SourceText(text), ({"text": text},)
        self.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": self.versions[uri]}, "contentChanges": list(changes)},
        )

    def diagnostics(self, uri: str) -> list[Json]:
        """Return the diagnostics of the newest version: pulled or awaited."""
        if "diagnosticProvider" in self.capabilities:
            return self.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})["items"]
        wanted = self.versions[uri]
        note = self.wait_note(
            "textDocument/publishDiagnostics", lambda p: p["uri"] == uri and p.get("version") == wanted
        )
        return note["diagnostics"]

    def wait_note(self, method: str, fits: Callable[[Any], bool] = lambda _: True, timeout: float = 20) -> Any:
        """Return the params of the newest notification that fits, waiting for it."""
        found: list[Any] = []

        def there() -> bool:
            found[:] = [note["params"] for note in self.notes if note["method"] == method and fits(note["params"])]
            return bool(found)

        with self._changed:
            assert self._changed.wait_for(there, timeout), f"no {method}; got {[n['method'] for n in self.notes]}"
        return found[-1]

    def text_at(self, uri: str, place: Json) -> str:
        source = self.texts[uri]
        start, end = (
            source.offset(place[end]["line"], place[end]["character"], self.encoding) for end in ("start", "end")
        )
        return source.text[start:end]

    def actions(self, uri: str, diagnostic: Json, **context: Any) -> list[Json]:
        params = {
            "textDocument": {"uri": uri},
            "range": diagnostic["range"],
            "context": {"diagnostics": [diagnostic], **context},
        }
        return self.request("textDocument/codeAction", params) or []

    def fix(self, uri: str, diagnostic: Json) -> Json:
        """Run the preferred action's command."""
        (action,) = [action for action in self.actions(uri, diagnostic) if action.get("isPreferred")]
        return self.request(
            "workspace/executeCommand",
            {"command": action["command"]["command"], "arguments": action["command"]["arguments"]},
        )

    def apply(self, params: Any) -> Json:
        """Apply a workspace edit as an editor does: all of it or nothing, versions checked."""
        edit = params["edit"]
        changes = [
            (c["textDocument"]["uri"], c["textDocument"].get("version"), c["edits"])
            for c in edit.get("documentChanges", [])
        ]
        changes += [(uri, None, edits) for uri, edits in edit.get("changes", {}).items()]
        if any(uri not in self.texts or version not in {None, self.versions[uri]} for uri, version, _ in changes):
            return {"applied": False}
        for uri, _, edits in changes:
            source = self.texts[uri]
            plain = [
                Edit(self._offset(source, e["range"]["start"]), self._offset(source, e["range"]["end"]), e["newText"])
                for e in edits
            ]
            self.change(uri, text=apply_edits(source.text, plain))
        return {"applied": True}

    def _offset(self, source: SourceText, position: Json) -> int:
        return source.offset(position["line"], position["character"], self.encoding)

    # -- the other end ----------------------------------------------------------------------------------------

    def _listen(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while True:
            size = 0
            while (line := stream.readline()).strip():
                self.received += line
                name, _, value = line.partition(b":")
                size = int(value) if name.lower() == b"content-length" else size
            if not line:
                return
            body = stream.read(size)
            self.received += line + body
            self._take(json.loads(body))

    def _take(self, message: Json) -> None:
        if "method" not in message:
            waiting = self._results.get(message["id"])
            if waiting is not None:
                waiting.put(message)
            with self._changed:
                self.notes.append({"method": "answer", "params": message})
                self._changed.notify_all()
        elif "id" in message:
            self.requests.append(message)
            threading.Thread(target=self._reply, args=(message,), daemon=True).start()
        else:
            with self._changed:
                self.notes.append(message)
                self._changed.notify_all()

    def _reply(self, message: Json) -> None:
        answer = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] in self.fails:
            self.send(answer | {"error": {"code": -32603, "message": "no"}})
        else:
            self.send(answer | {"result": self.answers.get(message["method"], lambda _: None)(message.get("params"))})

    def _drain(self) -> None:
        stream = self.process.stderr
        assert stream is not None
        for line in stream:
            self.errors += line
