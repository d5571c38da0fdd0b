"""A file system whose one file is never read and never let go: every read and every close waits. Linux, root.

    stuck_files.py FOLDER     mounts it there, prints "ready" (or "cannot"), serves until standard input ends

The frames are those of include/uapi/linux/fuse.h.
"""

import ctypes
import os
import select
import stat
import struct
import sys

_LOOKUP, _GETATTR, _OPEN, _READ, _FLUSH, _INIT = 1, 3, 14, 15, 25, 26
_SILENT = {_READ, _FLUSH}
_HEADER = struct.Struct("IIQQIIII")
SIZE = 1 << 20


def attributes(node):
    mode = stat.S_IFDIR | 0o755 if node == 1 else stat.S_IFREG | 0o644
    return struct.pack("6Q10I", node, SIZE, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode, node):
    """Return the body of an answer, None for an operation that there is not."""
    if opcode == _INIT:
        return struct.pack("IIIIHHIIHHI7I", 7, 31, 65536, 0, 16, 12, 65536, 1, 16, 0, 0, *[0] * 7)
    if opcode == _LOOKUP:
        return struct.pack("QQQQII", 2, 1, 3600, 3600, 0, 0) + attributes(2)
    if opcode == _GETATTR:
        return struct.pack("QII", 3600, 0, 0) + attributes(node)
    if opcode == _OPEN:
        return struct.pack("QII", 1, 0, 0)
    return None


def main():
    libc = ctypes.CDLL(None, use_errno=True)
    folder = sys.argv[1].encode()
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        print("cannot", flush=True)
        return
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    if libc.mount(b"stuck", folder, b"fuse", 0, options) != 0:
        print("cannot", flush=True)
        return
    print("ready", flush=True)
    while True:
        ready = select.select([device, 0], [], [])[0]
        if 0 in ready:
            break
        request = os.read(device, 1 << 20)
        _, opcode, unique, node, *_ = _HEADER.unpack_from(request)
        if opcode in _SILENT:
            continue
        body = answer(opcode, node)
        text = b"" if body is None else body
        os.write(device, struct.pack("IiQ", 16 + len(text), 0 if body is not None else -38, unique) + text)
    os.close(device)  # who waits comes back with an error
    libc.umount2(folder, 2)


main()
