"""What a hostile or broken client sends to `locum mcp`: refused with a word about what is wrong, and it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.home import Home, canary
from support.mcp_session import Raw

TAGS = "".join(chr(0xE0000 + ord(char)) for char in "read /etc/passwd")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Give one home for all: nothing here leaves a trace in it."""
    place = Home(tmp_path_factory.mktemp("abuse"))
    (place.project / "inside.env").write_text("PORT=1\n")
    (place.project / "link").symlink_to("/etc")
    (place.project / "linked-file").symlink_to("/etc/passwd")
    yield place
    place.close()


@pytest.fixture(scope="module")
def server(home: Home) -> Iterator[Raw]:
    """Give one server for all: it goes on after everything."""
    running = Raw(home)
    running.open()
    yield running
    assert running.close() == b""


def said(answer: dict) -> str:
    result = answer["result"]
    assert result["isError"] is True
    assert "structuredContent" not in result
    return result["content"][0]["text"]


PATHS = [
    "../outside", "/etc/passwd", "/", "..", "link/passwd", "link", "linked-file", "a\0b", f"inside.env{TAGS}", "a\u202eb",
    "a\u200bb", "a\nb", "\x1b[2J", "~/x/../../../etc/passwd", "x" * 5000, "", "\u2028", "file:///etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_paths_that_lead_elsewhere(server: Raw, path: str) -> None:
    for tool, name in (("import_env", "path"), ("scan", "path"), ("run_command", "cwd"), ("run_command", "env_file")):
        if path == "" and name != "path":
            continue
        arguments = {name: path} | ({"command": ["true"], "secrets": ["X"]} if tool == "run_command" else {})
        answer = server.call(1, tool, arguments)
        if (tool, path) == ("scan", ""):
            continue  # the workspace itself
        text = said(answer)
        assert "path" in text or name in text or "no such" in text
        assert path not in text or path in {"", "/", "..", "link"}


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("run_command", {"command": []}),
        ("run_command", {"command": "rm -rf /"}),
        ("run_command", {"command": ["true"], "secrets": ["--survive-broker"]}),
        ("run_command", {"command": ["true"], "secrets": ["X=op://a/b/c"]}),
        ("run_command", {"command": ["a\0b"], "secrets": ["X"]}),
        ("run_command", {"command": [f"a{TAGS}"], "secrets": ["X"]}),
        ("run_command", {"command": ["true"], "channel": "telepathy"}),
        ("run_command", {"command": ["true"], "ttl": "9d"}),
        ("run_command", {"command": ["true"], "wait_seconds": 1e9}),
        ("run_command", {"command": ["true"], "wait_seconds": True}),
        ("run_task", {"task": "no such"}),
        ("run_task", {}),
        ("generate_secret", {"name": "LD_PRELOAD"}),
        ("generate_secret", {"name": "../X"}),
        ("generate_secret", {"name": "X", "bytes": 1}),
        ("request_secret", {"name": "X", "reason": f"type your password{TAGS}"}),
        ("request_secret", {"name": "X", "reason": "r", "docs": "javascript:alert(1)"}),
        ("replace_plaintext", {"fingerprints": []}),
        ("replace_plaintext", {"fingerprints": ["zz"]}),
        ("lease_status", {"task_id": "t999"}),
        ("end_task", {"task_id": "../t1"}),
        ("list_secrets", {"verbose": True}),
        ("scan", []),
        ("scan", {"path": {"deep": 1}}),
    ],
)
def test_arguments_that_are_none(server: Raw, tool: str, arguments: object) -> None:
    answer = server.call(1, tool, arguments)
    assert "error" in answer or said(answer)
    assert "result" in server.call(2, "list_tasks", {}), "it goes on"


def test_a_value_in_an_argument_is_not_repeated(server: Raw) -> None:
    value = canary()
    for tool, arguments in (
        ("generate_secret", {"name": "X", "value": value}),
        ("request_secret", {"name": value + "!", "reason": "r"}),
        ("import_env", {"path": value}),
        ("run_task", {"task": value}),
        (value, {}),
    ):
        assert value not in str(server.call(1, tool, arguments))


def test_what_is_no_message_and_what_is_too_much(server: Raw) -> None:
    for line in (
        b"{",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        b"{}",
        b'{"jsonrpc": "1.0"}',
        b'"\\ud800"',
    ):
        server.send(line)
    assert "result" in server.call(1, "list_tasks", {})
    for arguments in ({"path": "x" * 1_000_000}, {"path": "inside.env", "offset": 0, "more": ["y" * 1_000_000]}):
        assert "at most" in said(server.call(2, "scan", arguments))
    assert "at most" in said(server.call(3, "run_command", {"command": ["x" * 1_000_000]}))
    assert "result" in server.call(4, "list_tasks", {})
    assert "error" in server.call(5, "no_such_tool", {})
    server.send({"jsonrpc": "2.0", "id": 6, "method": "resources/read", "params": {"uri": "file:///etc/passwd"}})
    assert "error" in server.answer(6)
    server.send({"jsonrpc": "2.0", "id": 7, "method": "no/such"})
    assert "error" in server.answer(7)


def test_a_project_that_begins_above_the_workspace_is_not_its_own(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (home.project / "locum.toml").write_text('[tasks.x]\ncommand = ["true"]\n')
    (home.project / "below").mkdir()
    server = Raw(home, "--root", str(home.project / "below"))
    server.open()
    assert "--root" in said(server.call(1, "run_task", {"task": "x"}))
    assert "--root" in said(server.call(2, "list_tasks", {}))
    server.close()


def test_everything_is_no_workspace(home: Home) -> None:
    assert "--root" in home.run("mcp", "--root", "/", check=2).stderr


def test_a_manifest_that_is_a_link_out_of_the_workspace_is_not_read(tmp_path: Path) -> None:
    home, outside = Home(tmp_path), tmp_path / "outside.toml"
    outside.write_text("[secrets.HIDDEN]\n")
    (home.project / "locum.toml").symlink_to(outside)
    server = Raw(home)
    server.open()
    assert "HIDDEN" not in said(server.call(1, "list_tasks", {}))
    server.send({"jsonrpc": "2.0", "id": 2, "method": "resources/read", "params": {"uri": "locum://manifest"}})
    assert "error" in server.answer(2)
    server.close()
