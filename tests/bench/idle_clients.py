"""Connect so many times, ask once on each connection, and stay until standard input ends: `idle_clients.py SOCKET COUNT`."""

from __future__ import annotations

import json
import socket
import struct
import sys

_TEXT = json.dumps({"id": 1, "method": "status", "params": {}}).encode()


def main() -> None:
    """Be a crowd."""
    kept: list[socket.socket] = []
    for _ in range(int(sys.argv[2])):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(sys.argv[1])
        sock.sendall(struct.pack(">II", len(_TEXT), 0) + _TEXT)
        sock.recv(65536)
        kept.append(sock)
    print(len(kept), flush=True)
    sys.stdin.read()


main()
