"""`workspace/diagnostic`: what stands in files that nobody has open, told when it is new."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from locum.text.source import SourceText
from support.home import Home
from support.lsp import PULL, PUSH, Client, Json
from support.tokens import github_token

WATCHING: Json = deepcopy(PULL)
WATCHING["workspace"]["didChangeWatchedFiles"] = {"dynamicRegistration": True}


@pytest.fixture
def client(vault_home: Home) -> Iterator[Client]:
    made = Client(vault_home, WATCHING)
    yield made
    assert made.close() == 0
    assert made.errors == b""


class Asked:
    """A request that may wait for news."""

    def __init__(self, client: Client, known: dict[str, str] | None = None) -> None:
        params = {"previousResultIds": [{"uri": uri, "value": value} for uri, value in (known or {}).items()]}
        self._answer: list[Json] = []
        self._thread = threading.Thread(
            target=lambda: self._answer.append(client.ask("workspace/diagnostic", params, 60)), daemon=True
        )
        self._thread.start()
        self.number = client._last

    def answer(self, seconds: float = 30) -> Json | None:
        self._thread.join(seconds)
        return self._answer[0] if self._answer else None

    def items(self) -> dict[str, Json]:
        answer = self.answer()
        assert answer is not None, "no answer"
        assert "error" not in answer, answer
        return {item["uri"]: item for item in answer["result"]["items"]}


def ids(items: dict[str, Json]) -> dict[str, str]:
    return {uri: item["resultId"] for uri, item in items.items() if "resultId" in item}


def changed(client: Client, *uris: str) -> None:
    client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": uri, "type": 2} for uri in uris]})


def test_files_that_nobody_has_open_are_told(client: Client) -> None:
    token = github_token()
    folder = client.home.project
    text = f'# 😋\na = "{token}"  # 😋\n'
    (folder / "src").mkdir()
    for name in ("src/a.py", "open.py", "ignored.py", "silent.py"):
        (folder / name).write_text(text)
    (folder / ".git").mkdir()
    (folder / ".gitignore").write_text("ignored.py\n")
    (folder / "locum.toml").write_text('[scan]\nexclude = ["silent.py"]\n')
    client.open("open.py", text)
    items = Asked(client).items()
    (uri,) = items
    assert uri == (folder / "src/a.py").as_uri()
    (said,) = items[uri]["items"]
    client.texts[uri] = SourceText(text)
    assert client.text_at(uri, said["range"]) == token
    assert said["data"]["origin"] == "disk"
    assert token[4:] not in json.dumps(items)
    scanned = json.loads(client.home.run("scan", "--format", "json", check=1).stdout)["findings"]
    assert said["data"]["fingerprint"] in [finding["fingerprint"] for finding in scanned]


def test_an_answer_waits_for_news(client: Client) -> None:
    path = client.home.project / "a.py"
    path.write_text(f'a = "{github_token()}"\n')
    known = ids(Asked(client).items())
    waiting = Asked(client, known)
    assert waiting.answer(1.5) is None, "nothing is new"
    other = client.home.project / "b.py"
    other.write_text(f'b = "{github_token()}"\n')
    changed(client, other.as_uri())
    items = waiting.items()
    assert list(items) == [other.as_uri()]
    known |= ids(items)
    path.unlink()
    changed(client, path.as_uri())
    items = Asked(client, known).items()
    assert {uri: item["items"] for uri, item in items.items()} == {path.as_uri(): []}


def test_a_clean_workspace_is_answered_once_and_then_waits(client: Client) -> None:
    assert Asked(client).items() == {}
    assert Asked(client).answer(1.5) is None


def test_new_rules_are_news(client: Client) -> None:
    (client.home.project / "a.py").write_text(f'a = "{github_token()}"\n')
    known = ids(Asked(client).items())
    waiting = Asked(client, known)
    manifest = client.home.project / "locum.toml"
    manifest.write_text('[[scan.allow]]\nrule = "github-pat"\nreason = "a test"\n')
    changed(client, manifest.as_uri())
    assert [item["items"] for item in waiting.items().values()] == [[]]


def test_a_closed_document_is_told_as_its_file_is(client: Client) -> None:
    path = client.home.project / "a.py"
    path.write_text(f'a = "{github_token()}"\n')
    uri = client.open("a.py", "a = None\n")
    assert Asked(client).items() == {}
    waiting = Asked(client)
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    assert len(waiting.items()[uri]["items"]) == 1


def test_it_can_be_cancelled(client: Client) -> None:
    Asked(client).items()
    waiting = Asked(client)
    assert waiting.answer(0.5) is None
    client.notify("$/cancelRequest", {"id": waiting.number})
    answer = waiting.answer(10)
    assert answer is not None
    assert answer["error"]["code"] == -32800
    uri = client.open("a.py", f'a = "{github_token()}"\n')
    assert len(client.diagnostics(uri)) == 1, "everything else goes on"


def test_all_files_are_watched_where_all_are_told_else_manifests(client: Client, vault_home: Home) -> None:
    capabilities: dict[str, Any] = deepcopy(PUSH)
    capabilities["workspace"]["didChangeWatchedFiles"] = {"dynamicRegistration": True}
    pushed = Client(vault_home, capabilities)
    for made, pattern in ((client, "**/*"), (pushed, "**/locum.toml")):
        made.diagnostics(made.open("a.py", "x = 1\n"))
        (asked,) = [request["params"] for request in made.requests if request["method"] == "client/registerCapability"]
        assert asked["registrations"][0]["registerOptions"]["watchers"] == [{"globPattern": pattern}]
    assert "diagnosticProvider" not in pushed.capabilities
    assert client.capabilities["diagnosticProvider"]["workspaceDiagnostics"] is True
    assert pushed.ask("workspace/diagnostic", {"previousResultIds": []})["error"]["code"] == -32601
    pushed.close()
