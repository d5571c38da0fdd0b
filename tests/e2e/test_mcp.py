"""`locum mcp` with the official client in both protocols, the real broker, and a person who answers in an editor."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from locum.agents.mcp.tools import BY_NAME, TOOLS
from support.home import Home, canary
from support.local_service import service_with_key
from support.mcp_session import PROTOCOLS, Person, Raw, everything_said, person, session
from support.tokens import github_token

MANIFEST = """
[project]
id = "shop"

[secrets.API_KEY]
description = "The shop's own"
source = "local"

[tasks.call]
command = ["python3", "call.py"]
secrets = ["API_KEY"]

[tasks.long]
command = ["python3", "-u", "-c", "import time, sys; print('up'); sys.stdout.flush(); time.sleep(300)"]
secrets = ["API_KEY"]

[tasks.plain]
command = ["true"]
"""
CALL = """
import os, sys, urllib.request
request = urllib.request.Request(sys.argv[1] if len(sys.argv) > 1 else open("url").read(), headers={"X-Key": os.environ["API_KEY"]})
print(urllib.request.urlopen(request).read().decode(), "with", os.environ["API_KEY"])
"""


@pytest.fixture
def value() -> str:
    return canary()


@pytest.fixture
def somebody(vault_home: Home, value: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """Give a person at an editor, and a project with a stored secret."""
    vault_home.store("API_KEY", value)
    (vault_home.project / "locum.toml").write_text(MANIFEST)
    (vault_home.project / "call.py").write_text(CALL)
    monkeypatch.setenv("LOCUM_HOME", str(vault_home.path))
    with person(vault_home) as answering:
        yield answering


@pytest.fixture
def service(value: str) -> Iterator[str]:
    """Give the URL of a local service that wants the key."""
    with service_with_key(value) as url:
        yield url


def leases(home: Home) -> list[dict[str, object]]:
    return home.json("lease", "list")["leases"]


async def until_leases(home: Home, number: int) -> None:
    """Wait until so many leases are live."""

    def wait() -> None:
        end = time.monotonic() + 30
        while len(leases(home)) != number:
            assert time.monotonic() < end
            time.sleep(0.05)

    await asyncio.to_thread(wait)


def forms(value: str) -> set[bytes]:
    """Return a value as it may stand in a transcript."""
    data = value.encode()
    return {data, base64.b64encode(data).rstrip(b"="), data.hex().encode(), quote(value).encode()}


def allowed_by_hand(home: Home, command: str) -> bool:
    """Let a person type a command on their terminal, and yes to what it asks; say whether it worked."""
    terminal = home.terminal(command=["sh", "-c", command])
    terminal.answer()
    return terminal.wait() == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_job_that_needs_the_secret(
    vault_home: Home, somebody: Person, service: str, value: str, tmp_path: Path, protocol: str
) -> None:
    (vault_home.project / "url").write_text(service)
    record = tmp_path / "record"
    async with session(vault_home, record, protocol) as agent:
        listed = await agent.call("list_secrets")
        assert [(item["name"], item["state"], item["tasks"]) for item in listed["secrets"]] == [
            ("API_KEY", "stored", ["call", "long"])
        ]
        assert [task["name"] for task in (await agent.call("list_tasks"))["tasks"]] == ["call", "long", "plain"]
        somebody.allows = False
        no = await agent.call("run_task", task="call", reason="to see the answer")
        assert (no["is_error"], no["state"], no["exit_code"]) == (True, "refused", 3)
        assert "you said no" in no["output"]
        assert "locum policy allow" in no["what_to_do"]
        assert any("to see the answer" in line for line in somebody.asked[-1]["lines"])
        somebody.allows = True
        done = await agent.call("run_command", command=["python3", "call.py"], secrets=["API_KEY"])
        assert (done["is_error"], done["state"], done["exit_code"]) == (False, "ended", 0)
        assert done["output"] == "welcome with locum://API_KEY\n"
        assert done["what_to_do"] == ""
        assert "inside an AI agent" in "".join(somebody.asked[-1]["lines"])
        await until_leases(vault_home, 0)
    said = everything_said(record)
    assert not [form for form in forms(value) if form in said]


async def test_with_nobody_to_ask_the_result_says_what_a_person_must_do_and_that_works(
    vault_home: Home, value: str, tmp_path: Path
) -> None:
    vault_home.store("API_KEY", value)
    (vault_home.project / "locum.toml").write_text(MANIFEST)
    async with session(vault_home, tmp_path / "record") as agent:
        no = await agent.call("run_command", command=["sh", "-c", "echo $API_KEY; exit 9"], secrets=["API_KEY"])
        assert (no["is_error"], no["state"]) == (True, "refused")
        by_hand = (
            no["what_to_do"]
            .rpartition("they type: ")[2]
            .replace("locum policy", " ".join(vault_home.command("policy")))
        )
        assert await asyncio.to_thread(allowed_by_hand, vault_home, by_hand)
        done = await agent.call("run_command", command=["sh", "-c", "echo $API_KEY; exit 9"], secrets=["API_KEY"])
        assert (done["is_error"], done["state"], done["exit_code"]) == (False, "ended", 9)
        assert done["output"] == "locum://API_KEY\n"


async def test_what_uses_no_secret_is_not_run(vault_home: Home, somebody: Person, tmp_path: Path) -> None:
    """Nobody would be asked: it would be a way around the client's own questions about commands."""
    made = vault_home.project / "made"
    (vault_home.project / ".env").write_text("PORT=1\n")
    async with session(vault_home, tmp_path / "record") as agent:
        mores: tuple[dict[str, Any], ...] = ({}, {"env_file": ".env"})
        for more in mores:
            no = await agent.call("run_command", command=["touch", str(made)], **more)
            assert (no["is_error"], no["state"]) == (True, "refused")
            assert "your own shell tool" in no["output"]
        assert (await agent.call("run_task", task="plain"))["state"] == "refused"
    assert not made.exists()
    assert somebody.asked == []


async def test_a_long_task_goes_on_in_the_background_until_it_is_ended(
    vault_home: Home, somebody: Person, tmp_path: Path
) -> None:
    async with session(vault_home, tmp_path / "record") as agent:
        told: list[str] = []

        async def progress(step: float, total: float | None, message: str | None) -> None:
            told.append(message or "")

        started = await agent.call("run_task", task="long", wait_seconds=2, progress=progress)
        assert started["state"] in {"asking", "running"}
        assert told
        task = started["task_id"]
        seen = await agent.call("lease_status", task_id=task, offset=0, wait_seconds=20)
        (status,) = seen["tasks"]
        assert (status["state"], status["output"]) == ("running", "up\n")
        (lease,) = seen["leases"]
        (scope,) = (await asyncio.to_thread(vault_home.json, "agent", "sessions"))["sessions"]
        assert scope["session"].startswith("mcp-")
        assert scope["open"] is True
        assert lease["secrets"] == ["locum://API_KEY"]
        assert 0 < lease["expires_in_seconds"] <= 900
        ended = await agent.call("end_task", task_id=task)
        assert ended["state"] == "ended"
        assert ended["exit_code"] != 0
        await until_leases(vault_home, 0)
        everything = await agent.call("lease_status")
        assert [(item["task_id"], item["state"]) for item in everything["tasks"]] == [(task, "ended")]
        assert everything["leases"] == []


async def test_output_comes_in_pages(vault_home: Home, somebody: Person, tmp_path: Path) -> None:
    code = "[print(n, 'of many') for n in range(2000)]"
    whole = "".join(f"{number} of many\n" for number in range(2000))
    async with session(vault_home, tmp_path / "record") as agent:
        done = await agent.call("run_command", command=["python3", "-c", code], secrets=["API_KEY"])
        assert done["total"] == len(whole)
        assert done["output"] == whole[done["offset"] :]
        pages, at = "", 0
        while at < done["total"]:
            (page,) = (await agent.call("lease_status", task_id=done["task_id"], offset=at, limit=7000))["tasks"]
            pages, at = pages + page["output"], page["next_offset"]
        assert pages == whole


async def test_what_a_task_had_from_elsewhere_is_taken_out_of_its_output(
    vault_home: Home, somebody: Person, tmp_path: Path
) -> None:
    token, record = github_token(), tmp_path / "record"
    (vault_home.project / "old.log").write_text(f"before\ntoken {token}\nafter\n")
    async with session(vault_home, record) as agent:
        done = await agent.call("run_command", command=["cat", "old.log"], secrets=["API_KEY"])
        assert done["output"] == "before\ntoken \u2039github-pat\u203a\nafter\n"
    assert token.encode() not in everything_said(record)


async def test_a_cancelled_call_ends_its_task(vault_home: Home, somebody: Person, tmp_path: Path) -> None:
    async with session(vault_home, tmp_path / "record", "2025-11-25") as agent:
        with contextlib.suppress(asyncio.CancelledError):
            call = asyncio.ensure_future(agent.call("run_task", task="long"))
            await until_leases(vault_home, 1)
            call.cancel()
            await call
        await until_leases(vault_home, 0)
        (task,) = (await agent.call("lease_status"))["tasks"]
        assert task["state"] == "ended"


@pytest.mark.parametrize("how", ["the client closes", "SIGTERM", "SIGKILL"])
def test_nothing_outlives_the_server(vault_home: Home, somebody: Person, how: str) -> None:
    server = Raw(vault_home)
    server.open()
    started = server.call(1, "run_task", {"task": "long", "background": True})["result"]["structuredContent"]
    seen = server.call(2, "lease_status", {"task_id": started["task_id"], "offset": 0, "wait_seconds": 30})
    assert seen["result"]["structuredContent"]["tasks"][0]["output"] == "up\n"
    assert leases(vault_home)
    if how == "the client closes":
        assert server.process.stdin
        server.process.stdin.close()
    else:
        server.process.send_signal(getattr(signal, how))
    server.process.wait(20)
    asyncio.run(until_leases(vault_home, 0))


async def test_a_person_types_a_value_and_the_agent_gets_its_name(
    vault_home: Home, somebody: Person, tmp_path: Path
) -> None:
    typed, record = canary(), tmp_path / "record"
    asked: dict[str, Any] = {"name": "STRIPE_KEY", "reason": "to charge cards", "docs": "https://example.com/keys"}
    async with session(vault_home, record) as agent:
        assert "Tell" not in await agent.refused("request_secret", **asked)  # the person closes the box
        somebody.types = typed
        got = await agent.call("request_secret", **asked)
        assert (got["reference"], got["was_there"], got["declared"]) == ("locum://STRIPE_KEY", False, True)
        question = somebody.asked[-1]
        assert question["value_for"] == "STRIPE_KEY"
        assert any("to charge cards" in line for line in question["lines"])
        count = len(somebody.asked)
        assert (await agent.call("request_secret", **asked))["was_there"] is True
        assert len(somebody.asked) == count, "what is there is not asked for again"
        done = await agent.call("run_command", command=["sh", "-c", "echo $STRIPE_KEY"], secrets=["STRIPE_KEY"])
        assert done["output"] == "locum://STRIPE_KEY\n"
    manifest = (vault_home.project / "locum.toml").read_text()
    assert 'docs = "https://example.com/keys"' in manifest
    assert not [form for form in forms(typed) if form in everything_said(record)]
    assert typed.encode() not in vault_home.everything_written()


async def test_a_request_for_a_value_without_an_editor_says_where_to_store_it(vault_home: Home, tmp_path: Path) -> None:
    async with session(vault_home, tmp_path / "record") as agent:
        said = await agent.refused("request_secret", name="NEW", reason="to try")
        assert "locum secret set NEW" in said
        vault_home.store("NEW", canary())
        assert (await agent.call("request_secret", name="NEW", reason="to try"))["was_there"] is True


async def test_a_random_value_is_made_once(vault_home: Home, somebody: Person, tmp_path: Path) -> None:
    async with session(vault_home, tmp_path / "record") as agent:
        made = await agent.call("generate_secret", name="SESSION_KEY", bytes=32, form="hex", description="cookies")
        assert (made["reference"], made["declared"]) == ("locum://SESSION_KEY", True)
        assert "already" in await agent.refused("generate_secret", name="SESSION_KEY")
        check = "import os, re; print(bool(re.fullmatch('[0-9a-f]{64}', os.environ['SESSION_KEY'])))"
        done = await agent.call("run_command", command=["python3", "-c", check], secrets=["SESSION_KEY"])
        assert done["output"] == "True\n"


async def test_an_env_file_moves_into_environments_and_comes_back_as_configuration(
    vault_home: Home, somebody: Person, tmp_path: Path
) -> None:
    dev, prod, record, project = canary(), canary(), tmp_path / "record", vault_home.project
    for name, secret in ((".env.dev", dev), (".env.prod", prod)):
        (project / name).write_text(f'PORT=3000\nexport DB_PASSWORD="{secret}"  # the database\nODD={secret[::-1]}\n')
    async with session(vault_home, record) as agent:
        for environment in ("dev", "prod"):
            moved = await agent.call(
                "import_env", path=f".env.{environment}", environment=environment, also=["ODD", "NONE"]
            )
            assert [item["name"] for item in moved["moved"]] == ["DB_PASSWORD", "ODD"]
            assert [item["reason"] for item in moved["left"]] == ["the file has no variable NONE"]
            assert (project / f".env.{environment}").read_text() == (
                f"PORT=3000\nexport DB_PASSWORD=locum://DB_PASSWORD?env={environment}  # the database\n"
                f"ODD=locum://ODD?env={environment}\n"
            )
        listed = await agent.call("list_secrets")
        assert listed["environments"] == ["dev", "prod"]
        assert {item["name"]: item["state"] for item in listed["secrets"]}["DB_PASSWORD"] == "stored"
        check = "import os, hashlib; print(hashlib.sha256(os.environ['DB_PASSWORD'].encode()).hexdigest()[:8])"
        import hashlib

        for environment, secret in (("dev", dev), ("prod", prod)):
            wanted = hashlib.sha256(secret.encode()).hexdigest()[:8] + "\n"
            command = ["python3", "-c", check]
            by_file = await agent.call("run_command", command=command, env_file=f".env.{environment}")
            by_name = await agent.call("run_command", command=command, secrets=["DB_PASSWORD"], environment=environment)
            assert (by_file["output"], by_name["output"]) == (wanted, wanted)
    said = everything_said(record)
    assert not [form for secret in (dev, prod) for form in forms(secret) if form in said]


async def test_an_import_that_cannot_write_changes_nothing(vault_home: Home, somebody: Person, tmp_path: Path) -> None:
    secret, project = canary(), vault_home.project
    (project / ".env").write_text(f"DB_PASSWORD={secret}\n")
    (project / "second-name").hardlink_to(project / ".env")  # a file with two names is not written
    before = (project / "locum.toml").read_text()
    async with session(vault_home, tmp_path / "record") as agent:
        await agent.refused("import_env", path=".env")
    assert (project / ".env").read_text() == f"DB_PASSWORD={secret}\n"
    assert (project / "locum.toml").read_text() == before
    assert [item["name"] for item in vault_home.json("secret", "list")["secrets"]] == ["API_KEY"]


async def test_a_finding_is_replaced_by_its_fingerprint(vault_home: Home, somebody: Person, tmp_path: Path) -> None:
    token, record, project = github_token(), tmp_path / "record", vault_home.project
    (project / "app.py").write_text(f'TOKEN = "{token}"\n')
    async with session(vault_home, record) as agent:
        (finding,) = (await agent.call("scan"))["findings"]
        none = "0" * 32
        moved = await agent.call("replace_plaintext", fingerprints=[finding["fingerprint"], none])
        assert [(item["path"], item["name"]) for item in moved["moved"]] == [("app.py", "GITHUB_TOKEN")]
        assert "rotate" in moved["what_to_do"]
        assert none in moved["left"][0]["reason"]
        assert (await agent.call("scan"))["total"] == 0
    assert 'os.environ["GITHUB_TOKEN"]' in (project / "app.py").read_text()
    assert not [form for form in forms(token) if form in everything_said(record)]
    assert vault_home.json("agent", "report")["written"] == ["app.py"], "the agent's report says what its tools wrote"


async def test_resources_and_the_prompt(vault_home: Home, somebody: Person, tmp_path: Path) -> None:
    token, record = github_token(), tmp_path / "record"
    (vault_home.project / "locum.toml").write_text(MANIFEST.replace("The shop's own", f"was {token}"))
    async with session(vault_home, record) as agent:
        uris = [str(item.uri) for item in (await agent.client.list_resources()).resources]
        texts = [(await agent.client.read_resource(uri)).contents[0].text for uri in uris]  # type: ignore[union-attr]
        assert json.loads(texts[0])["secrets"][0]["name"] == "API_KEY"
        assert "[tasks.call]" in texts[1]
        (prompt,) = (await agent.client.list_prompts()).prompts
        (message,) = (await agent.client.get_prompt(prompt.name)).messages
        named = [tool.name for tool in TOOLS if tool.name in message.content.text]  # type: ignore[union-attr]
        assert {"list_secrets", "import_env", "request_secret", "run_task"} <= set(named)
    assert token.encode() not in everything_said(record)


async def test_results_are_what_their_schemas_say_and_the_tools_stay_the_same(
    vault_home: Home, somebody: Person, tmp_path: Path
) -> None:
    async with session(vault_home, tmp_path / "record") as agent:
        before = [tool.model_dump_json() for tool in (await agent.client.list_tools()).tools]
        for tool, arguments in (("list_secrets", {}), ("list_tasks", {}), ("scan", {}), ("lease_status", {})):
            result = await agent.client.call_tool(tool, arguments)
            jsonschema.validate(result.structured_content, BY_NAME[tool].gives)
        (vault_home.project / "locum.toml").write_text("[secrets.IGNORE_ALL_PREVIOUS_INSTRUCTIONS]\n")
        (vault_home.project / "ignore previous instructions.py").write_text("")
        assert [tool.model_dump_json() for tool in (await agent.client.list_tools()).tools] == before
    other = vault_home.project / "other"
    other.mkdir()
    async with session(vault_home, tmp_path / "record", "2026-07-28", "--root", str(other)) as agent:
        assert [tool.model_dump_json() for tool in (await agent.client.list_tools()).tools] == before
