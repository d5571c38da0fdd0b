"""Whose a finding is: an agent's, where its hooks' notes and the disk agree; else the editor's or the disk's."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest

from locum.agents.sessions.journal import note
from support.home import ROOT, Home
from support.lsp import PULL, PUSH, Client, Json
from support.tokens import github_token

SCHEMA = json.loads((ROOT / "schemas/finding.schema.json").read_text("utf-8"))


@pytest.fixture
def home(vault_home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("LOCUM_HOME", str(vault_home.path))
    return vault_home


@pytest.fixture
def client(home: Home) -> Iterator[Client]:
    made = Client(home, PUSH)
    yield made
    assert made.close() == 0
    assert made.errors == b""


def line(token: str) -> str:
    return f'TOKEN = "{token}"\n'


def by_agent(items: list[Json]) -> bool:
    return any(item["data"]["origin"] == "agent" for item in items)


def wait_for(client: Client, uri: str, fits: Callable[[list[Json]], bool]) -> list[Json]:
    said = client.wait_note(
        "textDocument/publishDiagnostics", lambda params: params["uri"] == uri and fits(params["diagnostics"])
    )
    return said["diagnostics"]


def scanned(home: Home, *arguments: str) -> list[dict[str, Any]]:
    found = json.loads(home.run("scan", *arguments, "--format", "json", check=None).stdout)["findings"]
    for one in found:
        jsonschema.validate(one, SCHEMA)
    return found


# -- the editor -----------------------------------------------------------------------------------------------------


def test_a_file_that_an_agent_wrote_is_opened(home: Home, client: Client) -> None:
    text = line(github_token())
    (home.project / "app.py").write_text(text)
    note("s-1", "claude", "wrote", path="app.py", workspace=home.project)
    (said,) = wait_for(client, client.open("app.py", text), by_agent)
    assert set(said["data"]) == {"fingerprint", "rule", "origin"}
    assert " (written by Claude Code, " in said["message"]
    assert "s-1" not in json.dumps(said)


def test_an_open_file_changes_on_the_disk(home: Home, client: Client) -> None:
    mine, its = line(github_token()), line(github_token())
    path = home.project / "app.py"
    path.write_text(mine)
    uri = client.open("app.py", mine)
    (before,) = client.diagnostics(uri)
    note("s-1", "claude", "writes", path=path, workspace=home.project, had=[before["data"]["fingerprint"]])
    path.write_text(mine + its)
    note("s-1", "claude", "wrote", path=path, workspace=home.project)
    client.change(uri, text=mine + its)
    said = wait_for(client, uri, by_agent)
    assert [item["data"]["origin"] for item in said] == ["editor", "agent"]
    end = {"line": 2, "character": 0}
    client.change(uri, {"range": {"start": end, "end": end}, "text": "x"})
    assert [item["data"]["origin"] for item in client.diagnostics(uri)] == ["editor", "agent"], (
        "a person's typing changes nothing"
    )


def test_a_hook_that_notes_late_is_waited_for(home: Home, client: Client) -> None:
    text = line(github_token())
    path = home.project / "app.py"
    path.write_text(text)
    uri = client.open("app.py", text)
    (before,) = client.diagnostics(uri)
    assert before["data"]["origin"] == "editor"
    note("s-1", "gemini", "wrote", path=path, workspace=home.project)
    (said,) = wait_for(client, uri, by_agent)
    assert "Gemini CLI" in said["message"]


def test_an_agent_inside_the_editor_edits_a_document(home: Home, client: Client) -> None:
    uri = client.open("app.py", "import os\n")
    client.diagnostics(uri)
    note("s-1", "kiro", "writes", path="app.py", workspace=home.project, had=[])
    end = {"line": 1, "character": 0}
    client.change(uri, {"range": {"start": end, "end": end}, "text": "def main():\n    " + line(github_token())})
    (said,) = wait_for(client, uri, by_agent)
    assert "written by Kiro" in said["message"]


@pytest.mark.parametrize("noted", ["nothing", "another file", "one line only"])
def test_a_paste_stays_the_editors(home: Home, client: Client, noted: str) -> None:
    uri = client.open("app.py", "import os\n")
    client.diagnostics(uri)
    if noted != "nothing":
        note(
            "s-1",
            "kiro",
            "writes",
            path="b.py" if noted == "another file" else "app.py",
            workspace=home.project,
            had=[],
        )
    end = {"line": 1, "character": 0}
    pasted = line(github_token())
    client.change(
        uri, {"range": {"start": end, "end": end}, "text": pasted[:-1] if noted == "one line only" else "\n" + pasted}
    )
    client.diagnostics(uri)
    with pytest.raises(AssertionError):
        client.wait_note("textDocument/publishDiagnostics", lambda params: by_agent(params["diagnostics"]), timeout=3)


def test_a_client_that_pulls_is_told_to_ask_again(home: Home) -> None:
    client = Client(home, PULL)
    text = line(github_token())
    (home.project / "app.py").write_text(text)
    note("s-1", "claude", "wrote", path="app.py", workspace=home.project)
    asked = threading.Event()
    client.answers["workspace/diagnostic/refresh"] = lambda _: asked.set()
    uri = client.open("app.py", text)
    client.diagnostics(uri)
    assert asked.wait(20)
    assert by_agent(client.diagnostics(uri))
    other = home.project / "other.py"
    other.write_text(line(github_token()))
    note("s-1", "claude", "wrote", path=other, workspace=home.project)
    items = client.request("workspace/diagnostic", {"previousResultIds": []})["items"]
    assert {item["uri"]: by_agent(item["items"]) for item in items} == {other.as_uri(): True}
    assert client.close() == 0


# -- the command line -----------------------------------------------------------------------------------------------


def test_a_scan_says_who_wrote_it(home: Home) -> None:
    mine, its = line(github_token()), line(github_token())
    path = home.project / "app.py"
    path.write_text(mine)
    (old,) = scanned(home, "app.py")
    assert (old["origin"], "agent" in old) == ("disk", False)
    note("s-1", "claude", "writes", path=path, workspace=home.project, had=[old["fingerprint"]])
    path.write_text(mine + its)
    note("s-1", "claude", "wrote", path=path, workspace=home.project)
    first, second = scanned(home, ".")
    assert (first["origin"], second["origin"]) == ("disk", "agent")
    assert (second["agent"]["client"], second["agent"]["session"]) == ("claude", "s-1")
    assert home.run("scan", "app.py", check=1).stdout.count("written by Claude Code, ") == 1
    path.write_text(its)
    assert [one["origin"] for one in scanned(home, "app.py")] == ["disk"], "a person saved it since"
