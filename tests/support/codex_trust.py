"""Trust in Codex's hooks, given as a person gives it: by the hashes that Codex itself tells for the hooks that it found."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def trust(codex: str, home: Path, project: Path, variables: Mapping[str, str]) -> int:
    """Write the trust into the home's `config.toml`; return the number of hooks."""
    hooks = [hook for entry in _listed(codex, project, variables)["data"] for hook in entry["hooks"]]
    config = home / ".codex/config.toml"
    lines = [
        f"\n[hooks.state.{json.dumps(hook['key'])}]\ntrusted_hash = {json.dumps(hook['currentHash'])}\n"
        for hook in hooks
    ]
    with config.open("a") as file:
        file.writelines(lines)
    return len(hooks)


def _listed(codex: str, project: Path, variables: Mapping[str, str]) -> Any:
    server = subprocess.Popen(
        [codex, "app-server"], cwd=project, env=dict(variables), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert server.stdin is not None
        assert server.stdout is not None
        for message in (
            {"id": 0, "method": "initialize", "params": {"clientInfo": {"name": "locum-tests", "version": "1"}}},
            {"method": "initialized", "params": {}},
            {"id": 1, "method": "hooks/list", "params": {"cwds": [str(project)]}},
        ):
            server.stdin.write(json.dumps(message) + "\n")
            server.stdin.flush()
        for line in server.stdout:
            answer = json.loads(line)
            if answer.get("id") == 1:
                return answer["result"]
        raise AssertionError("Codex told no hooks")
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
