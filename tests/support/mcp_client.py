"""The official SDK's client, on a server that it starts by a command.

    mcp_client.py COMMAND…   prints what the server can do and answers

It keeps its terminal, as a client does that is started in one: the SDK would hide it from the server.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

_open = anyio.open_process


async def _with_our_terminal(*arguments: Any, start_new_session: bool = False, **options: Any) -> Any:
    return await _open(*arguments, **options)


async def main() -> None:
    anyio.open_process = _with_our_terminal  # type: ignore[assignment]
    command, *arguments = sys.argv[1:]
    server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    steps: list[float] = []

    async def progress(step: float, total: float | None, message: str | None) -> None:
        steps.append(step)

    async with Client(stdio_client(server)) as client:
        print("tools:", sorted(tool.name for tool in (await client.list_tools()).tools), flush=True)
        sums = await asyncio.gather(*(client.call_tool("add", {"a": number, "b": 1}) for number in range(20)))
        print("sums:", sum(int(found.content[0].text) for found in sums), flush=True)  # type: ignore[union-attr]
        print("slow:", (await client.call_tool("slow", {}, progress_callback=progress)).content[0].text, steps)  # type: ignore[union-attr]
        print("secret:", (await client.call_tool("secret", {})).content[0].text, flush=True)  # type: ignore[union-attr]
    print("the end", flush=True)


asyncio.run(main())
