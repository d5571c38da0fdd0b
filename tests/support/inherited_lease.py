"""An attacker that inherits a dead process's connection and forces its pid: `inherited_lease.py ROUNDS REQUEST`.

Each round: A asks for a lease over a connection that its parent keeps, and dies; B is started until it has A's pid, and
redeems A's lease over that very connection. Prints how often B had the pid, and what the broker said. As root, on Linux.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections import Counter
from pathlib import Path

from locum.broker import wire
from locum.broker.client import BrokerClient
from locum.errors import LocumError
from locum.paths import user_paths

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
TRIES = 200


def main() -> None:
    rounds = int(sys.argv[1])
    request = wire.LeaseRequest.from_wire(json.loads(sys.argv[2]))
    said: Counter[str] = Counter()
    forced = alive = 0
    for _ in range(rounds):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        ours, theirs = os.pipe()
        first = os.fork()
        if first == 0:
            connection.connect(str(user_paths().socket))
            client = BrokerClient(connection)
            lease = client.request_lease(request)["id"]
            worked = bool(client.redeem(lease))  # the lease is good: what B gets is about who B is
            os.write(theirs, f"{lease} {worked:d}".encode())
            os._exit(0)
        os.close(theirs)
        lease, worked = os.read(ours, 100).decode().split()
        os.close(ours)
        os.waitpid(first, 0)
        alive += int(worked)
        answer = _with_pid(first, connection, lease)
        forced += answer is not None
        said[answer or "not forced"] += 1
        connection.close()
    print(json.dumps({"forced": forced, "worked_for_its_owner": alive, "said": said}))


def _with_pid(pid: int, connection: socket.socket, lease: str) -> str | None:
    """Fork until a child has this pid; return what the broker told it, None when none had it."""
    for _ in range(TRIES):
        LAST_PID.write_text(str(pid - 1))
        ours, theirs = os.pipe()
        second = os.fork()
        if second == 0:
            if os.getpid() == pid:
                try:
                    BrokerClient(connection).redeem(lease)
                    os.write(theirs, b"accepted")
                except LocumError as error:
                    os.write(theirs, error.code.encode())
            os._exit(0)
        os.close(theirs)
        answer = os.read(ours, 100).decode()
        os.close(ours)
        os.waitpid(second, 0)
        if answer:
            return answer
    return None


if __name__ == "__main__":
    main()
