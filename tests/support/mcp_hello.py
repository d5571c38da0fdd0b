"""The client of an MCP server, as far as saying hello: read a client's configuration, start the server as it says, ask who it is.

    mcp_hello.py CONFIGURATION SERVER

Prints the server's answer. The server is started over pipes, in this process's session, as editors and agents do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def main(configuration: str, name: str) -> int:
    server = json.loads(Path(configuration).read_text())["mcpServers"][name]
    process = subprocess.Popen(
        [server["command"], *server["args"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | server.get("env", {}),
        text=True,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}) + "\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    print("mcp", answer["result"]["serverInfo"]["name"])
    process.stdin.close()
    return process.wait(20)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
