"""Frames between the broker and its clients, on `agent.sock` and on the control channel.

A frame is two 32-bit big-endian lengths, then a JSON object (what is said), then raw bytes (values, which are
never put into JSON). Both lengths are bounded before anything is read. Standard library only.

    request   {"id": 1, "method": "lease.request", "params": {…}}
    answer    {"id": 1, "result": {…}}  or  {"id": 1, "error": {"code", "message", "hint"}}
    event     {"event": "leases", …}
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from locum.errors import LocumError, UsageProblem

PROTOCOL = 1
MAX_JSON = 256 * 1024
MAX_PAYLOAD = 1024 * 1024
MAX_GRANTS = 32
"""More than a person reads is more than a person can allow."""
MAX_ARGUMENTS = 4096
MAX_USES = 1000
SETTINGS = "its settings"
"""Why a file counts whose plain settings become variables of the task: one such steers programs (`LD_PRELOAD`)."""
_LENGTHS = struct.Struct(">II")

Message = dict[str, Any]


class WireProblem(LocumError):
    """A peer does not keep to the frame format. Code `wire.bad`; the connection is closed."""

    def __init__(self, message: str) -> None:
        super().__init__("wire.bad", message, "Both ends must be of one version: run `locum broker stop`.")


def encode(message: Mapping[str, Any], payload: bytes | bytearray | memoryview = b"") -> list[bytes | memoryview]:
    """Return the parts of a frame, for `sendmsg`. Raises UsageProblem when it would be too long."""
    text = json.dumps(message, separators=(",", ":")).encode()  # ASCII: odd bytes of file names go as escapes
    if len(text) > MAX_JSON or len(payload) > MAX_PAYLOAD:
        raise UsageProblem("wire.size", "the request is too long", "Shorten the command line or the value.")
    return [_LENGTHS.pack(len(text), len(payload)) + text, memoryview(payload)]


class FrameReader:
    """Collects bytes and yields whole frames. Payloads come as bytearrays that the receiver wipes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def held(self) -> int:
        """Return how many bytes are kept: none between frames."""
        return len(self._buffer)

    def forget(self) -> None:
        """Wipe what is kept."""
        self._buffer[:] = bytes(len(self._buffer))
        self._buffer.clear()

    def feed(self, data: bytes) -> Iterator[tuple[Message, bytearray]]:
        """Add received bytes; yield each frame they complete. Raises WireProblem."""
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            text_size, payload_size = _LENGTHS.unpack_from(self._buffer)
            if text_size > MAX_JSON or payload_size > MAX_PAYLOAD:
                raise WireProblem("a frame is over its limit")
            end = _LENGTHS.size + text_size + payload_size
            if len(self._buffer) < end:
                return
            text = bytes(self._buffer[_LENGTHS.size : _LENGTHS.size + text_size])
            payload = self._buffer[_LENGTHS.size + text_size : end]
            self._buffer[:end] = bytes(end)  # values do not linger in a buffer that is reused
            del self._buffer[:end]
            yield _message(text), payload


def _message(text: bytes) -> Message:
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise WireProblem("a frame holds no JSON") from None
    if not isinstance(message, dict):
        raise WireProblem("a frame holds no JSON object")
    return cast("Message", message)


@dataclass(frozen=True, slots=True)
class Grant:
    """One thing asked for: `reference` (as the person sees it), found at `source`.

    It goes into the variable `env`, or into the rendered copy of `file`; the other one is empty.
    """

    env: str
    reference: str
    source: str = "local"
    file: str = ""
    hosts: tuple[str, ...] = ()
    """Where the value may go (`host`, `host:port`, `*.host`) when the task gets a placeholder instead of it."""

    @property
    def key(self) -> str:
        """What the value is called when it is handed over: the variable, or for a file the reference."""
        return self.env or self.reference


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A file whose references are resolved in a copy: its absolute path, and the SHA-256 of what stands in it."""

    path: str
    digest: str
    mounted: bool = False
    """Whether the task finds the copy at that path; else where its arguments say."""


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """Everything that an approval is bound to. `ttl` in seconds; paths absolute."""

    argv: tuple[str, ...]
    cwd: str
    grants: tuple[Grant, ...]
    workspace: str = ""
    task: str = ""
    ttl: int = 900
    reason: str = ""
    channel: str = field(default="env")
    files: tuple[RenderedFile, ...] = ()
    uses: int = 1
    """How often the values may be taken."""
    max_ttl: int = 0
    """Seconds after the grant up to which the holder may renew the lease; 0: not at all."""
    die_with_broker: bool = True
    """Whether the task is stopped when the broker ends: nobody could revoke its lease any more."""
    program: str = ""
    """The absolute path of the program that will run, as the asker found it."""
    production: bool = False
    """Whether the workspace calls one of the secrets a production secret: it can only ask for more care."""
    passes: tuple[str, ...] = ()
    """Names and patterns of variables that the task gets of the asker's environment beyond the usual ones."""
    settings: tuple[RenderedFile, ...] = ()
    """The files whose plain settings the task gets as variables, as the asker read them."""

    def to_wire(self) -> Message:
        """Return it as JSON-ready data."""
        return asdict(self)

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> LeaseRequest:
        """Read and check what a client sent. Raises UsageProblem."""
        try:
            grants = tuple(
                Grant(
                    str(g["env"]), str(g["reference"]), str(g["source"]), str(g.get("file", "")),
                    tuple(str(host) for host in g.get("hosts", ())),
                )
                for g in raw["grants"]
            )  # fmt: skip
            files = tuple(
                RenderedFile(str(f["path"]), str(f["digest"]), bool(f.get("mounted"))) for f in raw.get("files", ())
            )
            argv = tuple(str(part) for part in raw["argv"])
            request = cls(
                argv, str(raw["cwd"]), grants, str(raw["workspace"]), str(raw["task"]), int(raw["ttl"]),
                str(raw["reason"]), str(raw["channel"]), files, int(raw.get("uses", 1)), int(raw.get("max_ttl", 0)),
                bool(raw.get("die_with_broker", True)), str(raw.get("program", "")),
                bool(raw.get("production")),
                tuple(str(name) for name in raw.get("passes", ())),
                tuple(RenderedFile(str(f["path"]), str(f["digest"])) for f in raw.get("settings", ())),
            )  # fmt: skip
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            raise UsageProblem("lease.request", "a lease request lacks a field", "Update locum.") from None
        if len(grants) > MAX_GRANTS:
            raise UsageProblem("lease.request", f"a lease names at most {MAX_GRANTS} secrets", "Split the task.")
        if len(argv) > MAX_ARGUMENTS or not 0 < request.uses <= MAX_USES:
            raise UsageProblem("lease.request", "a lease has too many arguments or uses", "Split the task.")
        if not argv or not grants:
            raise UsageProblem("lease.request", "a lease names a command and at least one secret")
        paths = {file.path for file in files}
        if any(bool(grant.env) == bool(grant.file) or (grant.file and grant.file not in paths) for grant in grants):
            raise UsageProblem("lease.request", "a secret goes into a variable, or into a file of the request")
        return request
