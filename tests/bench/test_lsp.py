"""The server beside others, in one run: cold start beside a bare pygls server, an edit's diagnostics beside `ruff server`;
and a scan of a window beside one of the whole text.

Prints tables with the machine's load and asserts only that everybody answered: figures of one moment are no test.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

STARTS, EDITS = 8, 50
BARE = """
from lsprotocol import types
from pygls.lsp.server import LanguageServer
server = LanguageServer("bare", "1")
@server.feature(types.TEXT_DOCUMENT_HOVER)
def hover(ls, params): return None
server.start_io()
"""
CAPABILITIES: dict[str, Any] = {
    "general": {"positionEncodings": ["utf-16"]},
    "workspace": {"diagnostics": {"refreshSupport": True}},
    "textDocument": {"diagnostic": {"dynamicRegistration": False}, "publishDiagnostics": {"versionSupport": True}},
}


class Server:
    """The smallest client that can measure."""

    def __init__(self, command: list[str]) -> None:
        started = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._number = 0
        self.request("initialize", {"processId": None, "rootUri": None, "capabilities": CAPABILITIES})
        self.start_ms = (time.perf_counter() - started) * 1000
        self.notify("initialized", {})

    def notify(self, method: str, params: Any) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method: str, params: Any) -> Any:
        self._number += 1
        self._send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self._number and "method" not in message:
                return message.get("result")
            if "id" in message and "method" in message:
                items = message["params"].get("items", []) if isinstance(message.get("params"), dict) else []
                self._send({"jsonrpc": "2.0", "id": message["id"], "result": [None for _ in items] or None})

    def close(self) -> None:
        self.request("shutdown", None)
        self.notify("exit", None)
        self._process.wait(10)

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> Any:
        stream = self._process.stdout
        assert stream is not None
        size = 0
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        return json.loads(stream.read(size))


def big_file(folder: Path) -> str:
    """Return 5,000 lines of ordinary Python with a dozen made-up tokens."""
    lines = [
        f"def function_{i}(argument, other=None):\n    return [argument, other, {i}]  # line {i}\n\n"
        for i in range(1666)
    ]
    for i in range(0, 1666, 140):
        lines[i] = f'TOKEN_{i} = "glpat-{secrets.token_hex(10)}"\n\n\n'
    text = "".join(lines) + "x = 1\n" * 2
    (folder / "big.py").write_text(text)
    return text


def edits(server: Server, uri: str, text: str) -> tuple[list[float], int]:
    """Insert and remove a line in the middle; return the milliseconds until the diagnostics are there, and their number."""
    server.notify(
        "textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": text}}
    )
    server.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    times: list[float] = []
    count = 0
    for number in range(EDITS):
        end = {"line": 2501 if number % 2 else 2500, "character": 0}
        change = {
            "range": {"start": {"line": 2500, "character": 0}, "end": end},
            "text": "" if number % 2 else "# probe\n",
        }
        time.sleep(0.02)
        started = time.perf_counter()
        server.notify(
            "textDocument/didChange", {"textDocument": {"uri": uri, "version": number + 2}, "contentChanges": [change]}
        )
        count = len(server.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})["items"])
        times.append((time.perf_counter() - started) * 1000)
    return times, count


def row(name: str, times: list[float]) -> str:
    ordered = sorted(times)
    return f"{name:<34} median {statistics.median(times):7.1f} ms   p95 {ordered[int(len(ordered) * 0.95)]:7.1f} ms   n={len(times)}"


def ratios(table: dict[str, list[float]]) -> str:
    """Say ours over theirs, by medians and by 95th percentiles."""
    ours, theirs = (sorted(times) for times in table.values())
    tails = ours[int(len(ours) * 0.95)] / theirs[int(len(theirs) * 0.95)]
    return f"\n  ratio of medians {statistics.median(ours) / statistics.median(theirs):.2f}, of p95 {tails:.2f}"


def load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def test_beside_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binaries = Path(sys.executable).parent
    ours, ruff = [str(binaries / "locum"), "lsp"], [str(binaries / "ruff"), "server"]
    bare = [sys.executable, "-c", BARE]
    starts: dict[str, list[float]] = {"locum lsp": [], "bare pygls": []}
    for _ in range(STARTS):  # interleaved, so that both meet the same moments
        for name, command in (("locum lsp", ours), ("bare pygls", bare)):
            server = Server(command)
            starts[name].append(server.start_ms)
            server.close()
    text, uri = big_file(tmp_path), (tmp_path / "big.py").as_uri()
    measured: dict[str, list[float]] = {"locum lsp": [], "ruff server": []}
    counts: dict[str, int] = {}
    for _ in range(4):
        for name, command in (("locum lsp", ours), ("ruff server", ruff)):
            server = Server(command)
            times, counts[name] = edits(server, uri, text)
            measured[name] += times
            server.close()
    with capsys.disabled():
        print(f"\nspawn → initialize answered ({load()})")
        print(
            "\n".join(f"  {row(name, times)}" for name, times in starts.items()),
            ratios(starts),
        )
        print(f"didChange → diagnostics, {text.count(chr(10))} lines, {len(text) // 1000} kB")
        print(
            "\n".join(f"  {row(f'{name} ({counts[name]} diagnostics)', times)}" for name, times in measured.items()),
            ratios(measured),
        )
    assert counts["locum lsp"] == 12


def test_a_window_beside_the_whole_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from locum.detect.engine import default_engine
    from locum.detect.rescan import rescan

    engine, text = default_engine(), big_file(tmp_path).encode()
    lines = text.count(b"\n")
    plain = text.index(b"\n", text.index(b"function_777(")) + 1
    beside = text.index(b"\n", text.index(b"TOKEN_700")) + 1
    with capsys.disabled():
        print(f"\nan edit of {lines} lines, {len(text) // 1000} kB ({load()}), microseconds of processor time")
        for name, at, new in (
            ("a comment among code", plain, b"# probe\n"),
            ("a comment beside a token", beside, b"# probe\n"),
            ("a token", plain, f'x = "glpat-{secrets.token_hex(10)}"\n'.encode()),
        ):
            texts = (text[:at] + new + text[at:], bytes(bytearray(text)))
            known = rescan(engine, rescan(engine, None, text, path="big.py"), texts[0], path="big.py")
            windows: list[float] = []
            wholes: list[float] = []
            for number in range(400):
                after = texts[(number + 1) % 2]
                started = time.thread_time()
                known = rescan(engine, known, after, path="big.py")
                windows.append((time.thread_time() - started) * 1e6)
                assert known.near
            for _ in range(50):
                started = time.thread_time()
                engine.scan(text, path="big.py")
                wholes.append((time.thread_time() - started) * 1e6)
            print(f"  {name:<26} window {statistics.median(windows):6.0f} (least {min(windows):4.0f})"
                  f"   whole {statistics.median(wholes):6.0f} (least {min(wholes):4.0f})")  # fmt: skip
