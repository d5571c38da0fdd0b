"""A job that needs a secret, done by the four real clients through `run_task`: refused with an instruction while nobody has allowed
it, done when a person says yes, and over with the client: no lease is left, and no model has seen the value.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from locum.agents.doctor import runs
from locum.agents.doctor.dialects import Call
from locum.agents.doctor.real import REAL, Origin, Place, Real
from locum.broker.start import start_with_control
from locum.paths import user_paths
from support.agent_clients import REAL as CLIENTS
from support.agent_clients import Bench, bench
from support.home import Home
from support.local_service import service_with_key
from support.tokens import github_token

pytestmark = pytest.mark.timeout(400)

MANIFEST = """
[project]
id = "shop"

[secrets.API_KEY]
source = "local"

[tasks.call]
command = ["python3", "call.py"]
secrets = ["API_KEY"]

[tasks.long]
command = ["sh", "-c", "echo up; sleep 300"]
secrets = ["API_KEY"]
"""
CALL = """
import os, urllib.request
request = urllib.request.Request(open("url").read(), headers={"X-Key": os.environ["API_KEY"]})
print(urllib.request.urlopen(request).read().decode(), "with", os.environ["API_KEY"])
"""


@pytest.fixture
def agents(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with bench() as made:
        monkeypatch.setenv("PATH", made.path)
        yield made


@pytest.fixture
def value() -> str:
    return github_token()


@pytest.fixture
def service(value: str) -> Iterator[str]:
    """Give the URL of a local service that wants the key."""
    with service_with_key(value) as url:
        yield url


@contextmanager
def person(home: Home) -> Iterator[list[str]]:
    """Let somebody at an editor say yes to everything; gives the titles of what they were asked."""
    home.run("broker", "stop", check=None)
    channel = start_with_control(user_paths())
    assert channel is not None
    asked: list[str] = []
    over = threading.Event()

    def answer() -> None:
        while not over.is_set():
            question = channel.next_question(0.1)
            if question is not None:
                asked.append(question["title"])
                channel.answer(question["id"], allow=True)

    keeper = threading.Thread(target=answer)
    keeper.start()
    try:
        yield asked
    finally:
        over.set()
        keeper.join()
        channel.close()


def tool(client: str, name: str, **arguments: Any) -> Call:
    """Return a call of one of our tools, as each client's model names it."""
    named = {"claude": f"mcp__locum__{name}", "codex": name, "gemini": f"mcp_locum_{name}", "opencode": f"locum_{name}"}
    return Call(named[client], arguments, server="mcp__locum" if client == "codex" else "")


def with_tools(client: str, agents: Bench, locum_home: str) -> Real:
    """Return the client with `locum mcp` in its configuration."""
    real = REAL[client]
    server: dict[str, Any] = {
        "command": agents.locum,
        "args": ["mcp"],
        "env": {"LOCUM_HOME": locum_home, "PATH": agents.path},
    }

    def prepare(origin: Origin, place: Place, url: str) -> None:
        real.prepare(origin, place, url)
        if client == "claude":
            (place.home / ".claude.json").write_text(json.dumps({"mcpServers": {"locum": server}}))
        elif client == "codex":
            lines = [f"{key} = {json.dumps(server[key])}" for key in ("command", "args")]
            variables = [f"{key} = {json.dumps(text)}" for key, text in server["env"].items()]
            config = place.home / ".codex/config.toml"
            # A model that it does not know: to others it offers the tools of servers only when they search for them.
            config.write_text(config.read_text().replace("gpt-5.5", "unknown"))
            with config.open("a") as file:
                file.write("\n".join(["\n[mcp_servers.locum]", *lines, "[mcp_servers.locum.env]", *variables, ""]))
        elif client == "gemini":
            path = place.home / ".gemini/settings.json"
            path.write_text(
                json.dumps(json.loads(path.read_text()) | {"mcpServers": {"locum": server | {"trust": True}}})
            )
        else:
            path = place.home / ".config/opencode/opencode.json"
            entry = {"type": "local", "command": [agents.locum, "mcp"], "enabled": True, "environment": server["env"]}
            path.write_text(json.dumps(json.loads(path.read_text()) | {"mcp": {"locum": entry}}))

    arguments = real.arguments
    if client == "claude":
        arguments = lambda prompt: ("-p", prompt, "--allowedTools", "mcp__locum__run_task,mcp__locum__lease_status")  # noqa: E731
    return replace(real, prepare=prepare, arguments=arguments)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_job_that_needs_the_secret(
    agents: Bench, vault_home: Home, client: str, value: str, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault_home.store("API_KEY", value)
    for name, text in {"locum.toml": MANIFEST, "call.py": CALL, "url": service}.items():
        (agents.project / name).write_text(text)
    agents.hooks(client)
    monkeypatch.setenv("LOCUM_HOME", str(vault_home.path))
    real = with_tools(client, agents, str(vault_home.path))
    place = Place(agents.home, agents.project, agents.tmp)

    def let(*script: Call) -> tuple[str, ...]:
        if client == "codex":  # it does not wait for the servers to start
            script = (Call("exec_command", {"cmd": "sleep 12"}), *script)
        origin = Origin(agents.home, agents.project)
        did = runs.run(real, client, origin, place, "Call the service.", script, {"LOCUM_HOME": str(vault_home.path)})
        assert len(did.results) == len(script), did.said[-2000:]
        assert not did.transcript.shows(value)
        return did.results[1:] if client == "codex" else did.results

    (refused,) = let(tool(client, "run_task", task="call"))
    assert "refused" in refused, refused
    assert "locum policy allow" in refused
    with person(vault_home) as asked:
        done, long, status = let(
            tool(client, "run_task", task="call"), tool(client, "run_task", task="long", wait_seconds=2),
            tool(client, "lease_status", wait_seconds=1),
        )  # fmt: skip
        assert "welcome with locum://API_KEY" in done, done
        assert "running" in long, long
        assert "locum://API_KEY" in status
        assert len(asked) == 2
        end = time.monotonic() + 30
        while vault_home.json("lease", "list")["leases"]:
            assert time.monotonic() < end, "a lease outlived the client"
            time.sleep(0.1)
