"""A session with `locum mcp`: the official client over a recording, and the person at the editor beside it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from locum.broker.start import ControlChannel, start_with_control
from locum.errors import LocumError
from locum.paths import user_paths
from support.home import Home

PROTOCOLS = {"2025-11-25": "legacy", "2026-07-28": "auto"}
TEE = Path(__file__).with_name("tee.py")


class Person:
    """Who holds the control channel: says yes or no, and types values."""

    def __init__(self, home: Home, channel: ControlChannel) -> None:
        self.allows = True
        self.types = ""
        """The value that they type when they are asked for one; "" closes the box."""
        self.asked: list[dict[str, Any]] = []
        self._home, self._channel = home, channel
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave."""
        self._over.set()
        self._thread.join(10)
        self._channel.close()

    def _answer(self) -> None:
        self._channel.take_values()
        with contextlib.suppress(LocumError, OSError):
            while not self._over.is_set():
                message = self._channel.next_message(0.1)
                if message is None or message.get("event") not in {"approve", "value"}:
                    continue
                question = message["question"]
                self.asked.append(question)
                allow = self.allows
                if message["event"] == "value":
                    allow = bool(self.types)
                    if allow:
                        self._home.run("secret", "set", question["value_for"], "--stdin", stdin=self.types)
                self._channel.answer(question["id"], allow)


@contextlib.contextmanager
def person(home: Home) -> Iterator[Person]:
    """Let a person hold the channel of a new broker; `LOCUM_HOME` is the home's already."""
    home.run("broker", "stop", check=None)
    channel = start_with_control(user_paths())
    assert channel is not None
    somebody = Person(home, channel)
    try:
        yield somebody
    finally:
        somebody.close()


class Session:
    """One client's session."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, *, progress: Callable[..., Any] | None = None, **arguments: Any) -> dict[str, Any]:
        """Call a tool that has to work; return what it gives."""
        result = await self.client.call_tool(tool, arguments, progress_callback=progress)
        assert result.structured_content is not None, result.content
        assert json.loads(result.content[0].text) == result.structured_content  # type: ignore[union-attr]
        return {**result.structured_content, "is_error": result.is_error}

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Call a tool that has to refuse; return what it says."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error, result.content
        return result.content[0].text  # type: ignore[union-attr]


def parameters(home: Home, record: Path, *arguments: str) -> StdioServerParameters:
    """Return how a client starts the server, recorded."""
    return StdioServerParameters(
        command=sys.executable, args=[str(TEE), str(record), *home.command("mcp", *arguments)], env=home.env, cwd=home.project,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def session(home: Home, record: Path, protocol: str = "2026-07-28", *arguments: str) -> AsyncIterator[Session]:
    """Start the server and speak one protocol with it."""
    async with Client(stdio_client(parameters(home, record, *arguments)), mode=PROTOCOLS[protocol]) as client:
        assert client.protocol_version == protocol
        yield Session(client)


def everything_said(record: Path) -> bytes:
    """Return all bytes of the recordings: what the client said, what the server said, and its standard error."""
    return b"".join(path.read_bytes() for path in record.iterdir())


class Raw:
    """The server without a client of anybody's: lines in, lines out."""

    def __init__(self, home: Home, *arguments: str) -> None:
        self.process = subprocess.Popen(
            home.command("mcp", *arguments), cwd=home.project, env=home.env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def send(self, line: bytes | dict[str, Any]) -> None:
        """Send a line."""
        assert self.process.stdin
        self.process.stdin.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        self.process.stdin.flush()

    def answer(self, number: int) -> dict[str, Any]:
        """Return the answer to a request; the test's own limit ends the wait for one that does not come."""
        assert self.process.stdout
        while line := self.process.stdout.readline():
            message = json.loads(line)
            if message.get("id") == number:
                return message
        raise AssertionError("the server has ended")

    def open(self) -> None:
        """Shake hands."""
        client = {"name": "raw", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        self.send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        self.answer(0)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, number: int, tool: str, arguments: Any) -> dict[str, Any]:
        """Call a tool; return the answer."""
        params = {"name": tool, "arguments": arguments}
        self.send({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
        return self.answer(number)

    def close(self) -> bytes:
        """Close its input; return what it wrote to its standard error."""
        _, said = self.process.communicate(timeout=30)
        return said
