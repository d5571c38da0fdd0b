"""Open connections to a socket, one after the other, and keep those that stay open until standard input ends.

crowd.py SOCKET COUNT     prints how many connects were made when it is through
"""

import contextlib
import resource
import socket
import sys


def main():
    address, count = sys.argv[1], int(sys.argv[2])
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kept, made = [], 0
    print("begun", flush=True)
    while made < count:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(BlockingIOError, ConnectionResetError, BrokenPipeError):
            sock.connect(address)
            made += 1
            with contextlib.suppress(OSError):
                sock.send(b"\0\0\0")
            kept.append(sock)
            continue
        sock.close()
    print(made, flush=True)
    sys.stdin.read()


main()
