"""A program of the same user that means harm: it says everything to every socket, reads, copies and edits every file.

    hostile.py HOME BROKER_PID LEASE UNDO METHOD…     reports what it got, as JSON
    hostile.py wreck HOME                             edits, replaces and deletes, then ends

It knows the frame format and nothing else of the product, and it is told a live lease and a live undo token of
somebody else's connection, more than it could find out.
"""

import array
import base64
import ctypes
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

PLAUSIBLE = ["KEY", "FRESH_ONE", "NO_SUCH"]


class Wire:
    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(15)
        self.socket.connect(address)
        self.number = 0
        self.seen = b""

    def say(self, message, payload=b"", descriptors=()):
        text = json.dumps(message).encode()
        data = struct.pack(">II", len(text), len(payload)) + text + payload
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self.socket.sendmsg([data], ancillary)

    def read(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        self.seen += data
        return data

    def hear(self):
        text, payload = struct.unpack(">II", self.read(8))
        message = json.loads(self.read(text))
        return message, self.read(payload)

    def ask(self, method, params, payload=b"", descriptors=()):
        self.number += 1
        self.say({"id": self.number, "method": method, "params": params}, payload, descriptors)
        while True:
            message, values = self.hear()
            if message.get("id") == self.number:
                return message, values


def request(cwd, **changes):
    return {
        "argv": ["true"], "cwd": cwd, "workspace": cwd, "task": "", "ttl": 60, "reason": "", "channel": "env", "files": [],
        "grants": [{"env": "KEY", "reference": "locum://KEY", "source": "local", "file": ""}], **changes,
    }  # fmt: skip


def attempts(home, lease, undo):
    """Everything worth trying with any method: fields that some method may take, alone and together."""
    names = [
        {"name": name, "new_name": f"{name}_TWO", "origin": "hostile", "new": new}
        for name in PLAUSIBLE
        for new in (False, True)
    ]
    sessions = [{"session": name, "client": "claude"} for name in ("s-1", "../x", "a" * 200)]
    leases = [{"id": lease, "exit_code": 0}, {"lease": lease, "id": lease, "ttl": 3600}, {"id": lease[:6]}, {"id": ""}]
    answers = [{"id": "q_1", "decision": "allow"}, {"id": "q_1", "decision": "allow-content", "stands_for": 86400}]
    policies = [
        {
            "content": "*",
            "references": ["locum://KEY"],
            "for": 86400,
            "id": "pol_1",
            "allow": True,
            "stands_for": 86400,
        },
        {"path": f"{home}/config/policy.toml"},
    ]
    asked = [
        request(home),
        request(home, approved_by="editor", policy="pol_1", content="*", die_with_broker=False, max_ttl=86400, uses=99),
        request(home, stands_for=3600, uses=1, program=shutil.which("true")),
    ]
    return [*names, *sessions, *leases, {"undo": undo}, *answers, *policies, *asked, {}]


def talk(address, home, lease, undo, methods):
    """Call every method with everything, each from a connection of its own; return codes by method, and all bytes."""
    codes, seen, control = {}, b"", 0
    _, slave = os.openpty()
    for method in methods:
        for params in attempts(home, lease, undo):
            for payload, descriptors in ((b"", ()), (b"a guessed value", (slave,))):
                wire = Wire(address)
                try:
                    message, values = wire.ask(method, params, payload, descriptors)
                    code = message["error"]["code"] if "error" in message else "ok"
                    seen += values
                except (EOFError, OSError, ValueError) as error:
                    code = type(error).__name__
                seen += wire.seen
                codes.setdefault(method, set()).add(code)
                wire.socket.close()
    for event in (
        {"event": "hello", "version": 1},
        {"event": "approve"},
        {"method": "approve.answer", "params": {"id": "q_1", "decision": "allow"}},
    ):
        wire = Wire(address)
        wire.say(event)
        try:
            message, _ = wire.hear()
            control += "error" not in message
        except (EOFError, OSError):
            pass
        seen += wire.seen
    return codes, seen, control


def forms(value):
    return [value, base64.b64encode(value).rstrip(b"="), value.hex().encode(), value[::-1]]


# -- the broker's process ------------------------------------------------------------------------------------------------

libc = ctypes.CDLL(None, use_errno=True)


def outcome(call):
    try:
        call()
    except OSError as error:
        return error.errno
    return 0


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def read(path):
    with Path(path).open("rb") as file:
        file.read(16)


def first_address(pid):
    return int(Path(f"/proc/{pid}/maps").read_text().split("-")[0], 16)


def read_memory(pid):
    start = first_address(pid)
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        memory.seek(start)
        memory.read(16)


def attach(pid, how):
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    checked(libc.ptrace(how, pid, None, None))
    if how == 16:
        os.waitpid(pid, 0x40000000)  # __WALL
    libc.ptrace(17, pid, None, None)


def take_descriptor(pid):
    handle = os.pidfd_open(pid)
    try:
        os.close(checked(libc.syscall(438, handle, 0, 0)))  # pidfd_getfd
    finally:
        os.close(handle)


def read_across(pid, address):
    class Part(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))

    room = ctypes.create_string_buffer(8)
    here, there = Part(ctypes.addressof(room), 8), Part(address, 8)
    checked(libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))


def spy(pid):
    """Try to look into a process; return an errno for each way, 0 where it let us."""
    try:
        address = first_address(pid)
    except OSError:
        address = 0x400000
    return {
        **{
            name: outcome(lambda name=name: read(f"/proc/{pid}/{name}"))
            for name in ("environ", "maps", "smaps", "auxv", "io")
        },
        "mem": outcome(lambda: read_memory(pid)),
        "fd": outcome(lambda: list(Path(f"/proc/{pid}/fd").iterdir())),
        "fd/0": outcome(lambda: Path(f"/proc/{pid}/fd/0").open().close()),
        "exe": outcome(lambda: Path(f"/proc/{pid}/exe").readlink()),
        "cwd": outcome(lambda: Path(f"/proc/{pid}/cwd").readlink()),
        "root": outcome(lambda: list(Path(f"/proc/{pid}/root").iterdir())),
        "map_files": outcome(lambda: list(Path(f"/proc/{pid}/map_files").iterdir())),
        "ptrace attach": outcome(lambda: attach(pid, 16)),
        "ptrace seize": outcome(lambda: attach(pid, 0x4206)),
        "pidfd_getfd": outcome(lambda: take_descriptor(pid)),
        "process_vm_readv": outcome(lambda: read_across(pid, address)),
    }


def main():
    home, broker, lease, undo, *methods = sys.argv[1:]
    canaries = [line.encode() for line in sys.stdin.read().split()]
    looked, sockets, found, codes, control = 0, 0, [], {}, 0
    everything = b""
    for path in sorted(Path(home).rglob("*")):
        if path.is_socket():
            sockets += 1
            said, seen, answered = talk(str(path), home, lease, undo, methods)
            control += answered
            everything += seen
            for method, some in said.items():
                codes.setdefault(method, set()).update(some)
        elif path.is_file():
            looked += 1
            everything += path.read_bytes()
    for value in canaries:
        found += [True for form in forms(value) if form in everything]
    innocent = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)"], stdout=subprocess.PIPE
    )
    assert innocent.stdout is not None
    innocent.stdout.readline()
    report = {
        "files": looked, "sockets": sockets, "values": len(found), "control": control, "bytes": len(everything),
        "codes": {method: sorted(some) for method, some in codes.items()},
        "broker": spy(int(broker)), "innocent": spy(innocent.pid), "uid": os.getuid(),
    }  # fmt: skip
    innocent.kill()
    innocent.wait()
    print(json.dumps(report))


def wreck(home):
    """Edit what can be edited, last what others would notice first."""
    home = Path(home)
    (home / "config").mkdir(exist_ok=True)
    (home / "config/policy.toml").write_text('[[allow]]\nid = "pol_x"\nreferences = ["locum://KEY"]\ncontent = "*"\n')
    audit = home / "state/audit.jsonl"
    lines = audit.read_bytes().splitlines(keepends=True)
    audit.write_bytes(b"".join(lines[:1] + lines[2:]))
    vault = home / "data/vault.locum"
    raw = bytearray(vault.read_bytes())
    raw[len(raw) // 2] ^= 1
    vault.write_bytes(raw)
    (home / "run/agent.sock").unlink()
    time.sleep(0.1)


if sys.argv[1] == "wreck":
    wreck(sys.argv[2])
else:
    main()
