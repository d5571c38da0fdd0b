"""A real Neovim without a screen, with a configuration of its own, told what to do over its own socket."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.home import AGENT_MARKERS

_LIST_END = "Type number and <Enter>"
"""What Neovim writes under a list."""


class Neovim:
    """Started as a person starts it (configuration and plugins read), but with `--headless`."""

    def __init__(self, program: str, *files: Path, env: Mapping[str, str], cwd: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._program, self._socket, self._code = program, folder / "nvim.sock", folder / "code.lua"
        self._env = {name: value for name, value in env.items() if name not in AGENT_MARKERS}
        self._log = (folder / "nvim.log").open("wb")
        self._answered = 0
        self._process = subprocess.Popen(
            [program, "--headless", "--listen", str(self._socket), *map(str, files)],
            env=self._env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        end = time.monotonic() + 15
        while not self._socket.exists():
            assert time.monotonic() < end, f"Neovim did not start; see {self._log.name}"
            time.sleep(0.02)

    def lua(self, code: str) -> Any:
        """Run Lua in it and return what the code returns, through JSON."""
        self._code.write_text(code)
        done = subprocess.run(
            [self._program, "--server", str(self._socket), "--remote-expr", f"luaeval('vim.json.encode(dofile(_A))', '{self._code}')"],
            env=self._env, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert done.returncode == 0, f"Neovim: {done.stderr}{done.stdout}"
        return json.loads(done.stdout or done.stderr)

    def keys(self, text: str) -> None:
        """Press keys, in Neovim's own notation."""
        subprocess.run(
            [self._program, "--server", str(self._socket), "--remote-send", text], env=self._env, check=True, timeout=30
        )

    def wait(self, code: str, *, seconds: float = 20) -> Any:
        """Run Lua again and again until it returns something true; return that. Fails with the last answer."""
        end = time.monotonic() + seconds
        while True:
            answer = self.lua(code)
            if answer:
                return answer
            assert time.monotonic() < end, (
                f"not within {seconds} s: {code}\n(answer: {answer}; messages: {self.messages()})"
            )
            time.sleep(0.05)

    def text(self) -> list[str]:
        """Return the current buffer's lines."""
        return self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)")

    def messages(self) -> str:
        """Return what Neovim has told its user so far."""
        return self.lua("return vim.fn.execute('messages')")

    def answer(self, choice: str, *, seconds: float = 20) -> str:
        """Take `choice` from a list that Neovim itself shows and waits at; return the list's lines. Nothing is stubbed.

        While it waits it runs no Lua: what it shows is read from what it writes.
        """
        end = time.monotonic() + seconds
        while True:
            shown = Path(self._log.name).read_text(errors="replace")[self._answered :]
            asked, ended, _ = shown.rpartition(_LIST_END)
            row = re.search(rf"^(\d+): {re.escape(choice)}\r?$", asked, re.MULTILINE)
            if ended and row is not None:
                self._answered += len(shown)
                self.keys(f"{row[1]}<CR>")
                return asked
            assert time.monotonic() < end, f"not within {seconds} s: {choice!r} to choose; it shows:\n{shown}"
            time.sleep(0.05)

    def type_in(self, prompt: str, text: str, *, seconds: float = 20) -> None:
        """Type where Neovim asks for a text after `prompt`, and Enter. While it waits it runs no Lua, as in `answer`."""
        end = time.monotonic() + seconds
        while prompt not in Path(self._log.name).read_text(errors="replace")[self._answered :]:
            assert time.monotonic() < end, f"not within {seconds} s: {prompt!r}"
            time.sleep(0.05)
        self._answered = len(Path(self._log.name).read_text(errors="replace"))
        self.keys(f"{text}<CR>")

    def close(self) -> None:
        """Leave it as a person does, without saving."""
        if self._process.poll() is None:
            try:
                subprocess.run(
                    [self._program, "--server", str(self._socket), "--remote-send", "<C-\\><C-N>:qa!<CR>"],
                    env=self._env, capture_output=True, timeout=10,
                )  # fmt: skip
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()
