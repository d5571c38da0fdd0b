"""A real MCP server on this machine that asks for a header or a query value: the official SDK's, in a process of its own.

mcp_server.py streamable-http|json|sse|stateless   prints its port; what it wants is in $WANTED
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from mcp.server.mcpserver import Context, MCPServer


class Checked:
    """Lets a request in that has the secret in `Authorization` or in `?key=`."""

    def __init__(self, app: Any, wanted: str) -> None:
        self.app = app
        self.wanted = wanted

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            key = parse_qs(scope["query_string"].decode()).get("key", [""])[0]
            sent = headers.get(b"authorization", b"").decode("utf-8").removeprefix("Bearer ")
            print(scope["method"], scope["path"], file=sys.stderr, flush=True)
            if self.wanted not in {sent, key}:
                await send(
                    {"type": "http.response.start", "status": 401, "headers": [(b"content-type", b"text/plain")]}
                )
                await send({"type": "http.response.body", "body": b"no entry for " + sent.encode() + key.encode()})
                return
        await self.app(scope, receive, send)


def main() -> None:
    kind, wanted = sys.argv[1], os.environ["WANTED"]
    server = MCPServer("test server")

    @server.tool()
    async def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool()
    async def secret() -> str:
        """Say what was sent, as a careless server does."""
        return f"you sent {wanted}"

    @server.tool()
    async def slow(ctx: Context) -> str:
        """Report progress, then answer."""
        for step in range(3):
            await ctx.report_progress(step, 3)
        return "done"

    if kind == "sse":
        app = server.sse_app()
    else:
        app = server.streamable_http_app(json_response=kind == "json", stateless_http=kind == "stateless")
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(Checked(app, wanted), log_level="error")).run(sockets=[listening])


main()
