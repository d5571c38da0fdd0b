"""Notebooks: each cell has its own diagnostics, under the notebook's path and its project's rules."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from locum.text.source import SourceText
from support.home import Home
from support.lsp import PULL, PUSH, Client, Json
from support.tokens import github_token

SYNC: Json = {"synchronization": {"dynamicRegistration": False}}
PROFILES: dict[str, dict[str, Any]] = {
    "push": PUSH | {"notebookDocument": SYNC},
    "pull": PULL | {"notebookDocument": SYNC},
}


@pytest.fixture(params=PROFILES)
def client(request: pytest.FixtureRequest, vault_home: Home) -> Iterator[Client]:
    made = Client(vault_home, deepcopy(PROFILES[request.param]))
    yield made
    assert made.close() == 0
    assert made.errors == b""


class Notebook:
    """A notebook as an editor shows it."""

    def __init__(self, client: Client, name: str, *texts: str, uri: str = "") -> None:
        self.client = client
        self.uri = uri or (client.home.project / name).as_uri()
        self.version = 0
        self.cells: list[str] = []
        self._made = 0
        documents = [self._cell(text) for text in texts]
        client.notify("notebookDocument/didOpen", {
            "notebookDocument": {
                "uri": self.uri, "notebookType": "jupyter-notebook", "version": 0,
                "cells": [{"kind": 2, "document": cell["uri"], "metadata": {"a": 1}} for cell in documents],
            },
            "cellTextDocuments": documents,
        })  # fmt: skip

    def _cell(self, text: str, at: int | None = None) -> Json:
        uri = f"vscode-notebook-cell:{self.uri.removeprefix('file://')}#W{self._made}sZmlsZQ%3D%3D"
        self._made += 1
        self.cells.insert(len(self.cells) if at is None else at, uri)
        self.client.texts[uri], self.client.versions[uri] = SourceText(text), 1
        return {"uri": uri, "languageId": "python", "version": 1, "text": text}

    def _change(self, cells: Json) -> None:
        self.version += 1
        self.client.notify("notebookDocument/didChange", {
            "notebookDocument": {"uri": self.uri, "version": self.version}, "change": {"cells": cells},
        })  # fmt: skip

    def insert(self, at: int, text: str) -> str:
        cell = self._cell(text, at)
        added = {"start": at, "deleteCount": 0, "cells": [{"kind": 2, "document": cell["uri"]}]}
        self._change({"structure": {"array": added, "didOpen": [cell]}})
        return cell["uri"]

    def remove(self, at: int) -> str:
        uri = self.cells.pop(at)
        self._change({"structure": {"array": {"start": at, "deleteCount": 1}, "didClose": [{"uri": uri}]}})
        return uri

    def edit(self, at: int, *changes: Json, text: str) -> None:
        uri = self.cells[at]
        self.client.texts[uri] = SourceText(text)
        self.client.versions[uri] += 1
        document = {"uri": uri, "version": self.client.versions[uri]}
        self._change({"textContent": [{"document": document, "changes": list(changes)}]})

    def said(self, at: int) -> list[str]:
        """Return what is underlined in a cell."""
        uri = self.cells[at]
        return [self.client.text_at(uri, said["range"]) for said in self.client.diagnostics(uri)]


def test_each_cell_has_its_own(client: Client) -> None:
    assert client.capabilities["notebookDocumentSync"]["notebookSelector"] == [{"notebook": "*"}]
    first, second = github_token(), github_token()
    notebook = Notebook(client, "a.ipynb", f'# 😋\na = "{first}"\n', "x = 1\n", f"The token: {second}")
    assert [notebook.said(number) for number in range(3)] == [[first], [], [second]]


def test_cells_that_come_go_and_change(client: Client) -> None:
    tokens = [github_token() for _ in range(3)]
    notebook = Notebook(client, "a.ipynb", f'a = "{tokens[0]}"\n', "x = 1\n")
    notebook.insert(1, f'b = "{tokens[1]}"\n')
    assert [notebook.said(number) for number in range(3)] == [[tokens[0]], [tokens[1]], []]
    place = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 5}}
    notebook.edit(2, {"range": place, "text": f'"{tokens[2]}"'}, text=f'x = "{tokens[2]}"\n')
    assert notebook.said(2) == [tokens[2]]
    notebook.edit(0, {"text": "a = None\n"}, text="a = None\n")
    assert notebook.said(0) == []
    gone = notebook.remove(1)
    if "diagnosticProvider" in client.capabilities:
        assert client.diagnostics(gone) == []
    else:
        client.wait_note("textDocument/publishDiagnostics", lambda p: p["uri"] == gone and not p["diagnostics"])
    assert notebook.said(1) == [tokens[2]]
    client.notify("notebookDocument/didSave", {"notebookDocument": {"uri": notebook.uri}})
    client.notify("notebookDocument/didClose", {
        "notebookDocument": {"uri": notebook.uri}, "cellTextDocuments": [{"uri": uri} for uri in notebook.cells],
    })  # fmt: skip
    for uri in notebook.cells:
        if "diagnosticProvider" in client.capabilities:
            assert client.diagnostics(uri) == []
        else:
            client.wait_note(
                "textDocument/publishDiagnostics", lambda p, uri=uri: p["uri"] == uri and not p["diagnostics"]
            )


def test_a_cell_belongs_to_the_notebooks_project(client: Client) -> None:
    (client.home.project / "locum.toml").write_text(
        '[secrets.KNOWN]\n[[scan.allow]]\nrule = "github-pat"\npath = "/shown.ipynb"\nreason = "a demonstration"\n'
    )
    text = f'a = "{github_token()}"\nb = "locum://KNOWM"\n'
    allowed, other = Notebook(client, "shown.ipynb", text), Notebook(client, "other.ipynb", text)
    codes = [[said["code"] for said in client.diagnostics(book.cells[0])] for book in (allowed, other)]
    assert codes == [["unknown-reference"], ["github-pat", "unknown-reference"]]


def test_a_notebook_that_is_no_file(client: Client) -> None:
    token = github_token()
    assert Notebook(client, "", f"t = '{token}'", uri="untitled:Untitled-1.ipynb").said(0) == [token]


def test_a_secret_in_a_cell_moves_into_the_vault(client: Client) -> None:
    token = github_token()
    notebook = Notebook(client, "a.ipynb", f'TOKEN = "{token}"\n')
    (said,) = client.diagnostics(notebook.cells[0])
    assert client.fix(notebook.cells[0], said)["applied"]
    assert "os.environ" in client.texts[notebook.cells[0]].text
    assert token not in client.texts[notebook.cells[0]].text


def test_changes_to_what_was_never_opened_are_nothing(client: Client) -> None:
    client.notify("notebookDocument/didChange", {
        "notebookDocument": {"uri": "file:///x.ipynb", "version": 2},
        "change": {"cells": {"textContent": [{"document": {"uri": "c:1", "version": 2}, "changes": [{"text": "a"}]}]}},
    })  # fmt: skip
    client.notify(
        "notebookDocument/didClose",
        {"notebookDocument": {"uri": "file:///x.ipynb"}, "cellTextDocuments": [{"uri": "c:1"}]},
    )
    token = github_token()
    assert Notebook(client, "a.ipynb", f't = "{token}"').said(0) == [token]
    assert not [note for note in client.notes if note["method"] == "window/showMessage"]
