"""A command whose output is looked at for secrets before anybody reads it: what a hook tells an agent to use.

The command runs as it would without us, with the environment that it would have; what it prints goes through `hooks.redact`.
Where the mask fails, nothing more is printed and the command is ended.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from locum.agents.hooks.looking import Looker, TooMuch
from locum.agents.hooks.redact import MARK, Named, redacted

_CHUNK = 1 << 16
_QUIET = 0.05
"""Seconds without output after which what is here is shown: until then it may belong to what comes."""
_HELD = 1 << 18
"""Bytes that are held back while a key's end has not come."""
NOT_FOUND = 127


def run_masked(argv: Sequence[str], named: Named) -> int:
    """Run a command to its end; return its exit code as a shell would."""
    try:
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as problem:
        sys.stderr.write(f"locum: {argv[0]}: {os.strerror(problem.errno or 0).lower()}\n")
        return NOT_FOUND
    looker = Looker(Path.cwd())
    with child, selectors.DefaultSelector() as selector:
        for source, target in ((child.stdout, 1), (child.stderr, 2)):
            assert source is not None
            selector.register(source.fileno(), selectors.EVENT_READ, Masked(looker, named, _to(target)))
        try:
            _pump(selector)
        except BaseException:
            child.kill()
            raise
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _pump(selector: selectors.BaseSelector) -> None:
    while streams := selector.get_map():
        ready = selector.select(_QUIET)
        if not ready:
            for key in list(streams.values()):
                key.data.show_lines()
            ready = selector.select()
        for key, _ in ready:
            data = os.read(key.fd, _CHUNK)
            if data:
                key.data.take(data)
            else:
                selector.unregister(key.fd)
                key.data.show_all()


class Masked:
    """One stream: what was read and not yet shown. Bytes are looked at as they are, each as one character."""

    def __init__(self, looker: Looker, named: Named, show: Callable[[bytes], None]) -> None:
        self._looker = looker
        self._named = named
        self._show = show
        self._held = bytearray()

    def take(self, data: bytes) -> None:
        """Add what was read."""
        self._held += data
        if len(self._held) > _HELD:
            self.show_lines()

    def show_lines(self) -> None:
        """Show whole lines, but not a key whose end has not come."""
        end = self._held.rfind(b"\n") + 1
        begin, last = self._held.rfind(b"-----BEGIN", 0, end), self._held.rfind(b"-----END", 0, end)
        if begin > last and len(self._held) <= _HELD:
            end = self._held.rfind(b"\n", 0, begin) + 1
        self._out(end or (len(self._held) if len(self._held) > _HELD else 0))

    def show_all(self) -> None:
        """Show the rest."""
        self._out(len(self._held))

    def _out(self, end: int) -> None:
        if not end:
            return
        text = bytes(self._held[:end]).decode("latin-1")
        del self._held[:end]
        try:
            text = redacted(text, self._looker.in_text(text), self._named)
        except TooMuch:
            text = f"{MARK}too long to be looked at for secrets>\n"
        self._show(text.encode("latin-1"))


def _to(target: int) -> Callable[[bytes], None]:
    def show(data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]

    return show
