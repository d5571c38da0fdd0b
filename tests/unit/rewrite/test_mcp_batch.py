"""All secrets of one MCP server in one go, wherever they stand: none is moved in the clear on the way."""

from __future__ import annotations

import json
import tomllib

import pytest

from locum.rewrite.batch import plan_all
from locum.text.source import SourceText
from support.marked import finding_at, value_of

SECRETS = ("tulip-9Zk", "rose-8Yj", "lily-7Xh")
URL = "https:" + "//me:tulip-9Zk@h/mcp?key=rose-8Yj"
HEADERS = {"A": "Bearer rose-8Yj", "B": "lily-7Xh"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.json", json.dumps({"mcpServers": {"x": {"url": "https://h/?k=tulip-9Zk", "headers": HEADERS}}})),
        (".cursor/mcp.json", json.dumps({"mcpServers": {"x": {"headers": HEADERS, "url": "https://h/?k=tulip-9Zk"}}}, indent=2)),
        ("opencode.json", json.dumps({"mcp": {"x": {"type": "remote", "url": "https://h/?k=tulip-9Zk", "headers": HEADERS}}}, indent=1)),
        (".mcp.json", json.dumps({"mcpServers": {"x": {"url": URL, "headers": {}}}})),
        (".mcp.json", json.dumps({"mcpServers": {"x": {"url": URL}}})),
        (".codex/config.toml", f'[mcp_servers.x]\nurl = "{URL}"\n'),
        (".codex/config.toml", '[mcp_servers.x]\nurl = "https://h/?k=tulip-9Zk"\nhttp_headers = { A = "rose-8Yj", B = "lily-7Xh" }\n'),
        (".codex/config.toml", '[mcp_servers.x]\nurl = "https://h/?k=tulip-9Zk"\n\n[mcp_servers.x.http_headers]\nA = "rose-8Yj" # a\nB = "lily-7Xh"\n'),
        (".codex/config.toml", '[mcp_servers.x]\nurl = "https://h"\nbearer_token = "tulip-9Zk"\nhttp_headers = { A = "rose-8Yj" }\n'),
        ("b.json", json.dumps({"mcpServers": {"x": {"command": "docker", "args": ["run", "-e", "A=tulip-9Zk", "-e", "B=rose-8Yj", "i"], "env": {"C": "lily-7Xh"}}}})),
    ],
)  # fmt: skip
def test_all_of_a_server_goes_at_once(path: str, text: str) -> None:
    source, findings = SourceText(text), []
    for number, secret in enumerate(SECRETS):
        start = text.find(secret)
        if start >= 0:
            findings.append(finding_at(source, start, start + len(secret), f"S{number}"))
    batch = plan_all(source, findings, path=path, language="", name_for=lambda finding, _: finding.secret_name)
    assert batch.left == []
    assert {moved.plan.name: value_of(moved.plan).decode() for moved in batch.moved} == {
        finding.secret_name: SECRETS[int(finding.secret_name[1])] for finding in findings
    }
    assert not any(secret in batch.text for secret in SECRETS)
    (servers,) = (tomllib.loads if path.endswith("toml") else json.loads)(batch.text).values()
    command = servers["x"]["command"]
    assert (command if isinstance(command, list) else [command, *servers["x"]["args"]])[:4] == [
        "locum",
        "run",
        "--ttl",
        "8h",
    ]
