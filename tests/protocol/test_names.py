"""Names of secrets in the editor: definition, references, highlights, hover, completion, links, hints, tokens, symbols."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from locum.refs.reference import parse
from locum.text.source import SourceText
from support.home import Home, canary
from support.lsp import PUSH, Client, Json
from support.names import NAMING, Namer
from support.tokens import github_token

MANIFEST = """\
# 😋
[secrets.STRIPE_KEY]
description = "the payment *key*"
docs = "https://example.com/rotate"

[secrets.STRIPE_KEY.env]
prod = "op://shop/stripe/key"
stage = "local"

[secrets.OTHER]

[tasks.test]
command = ["pytest"]
secrets = ["STRIPE_KEY", "OTHER"]

[tasks.deploy]
command = ["deploy"]
secrets = { TOKEN = "locum://STRIPE_KEY?env=prod" }
"""
APP = 'import os\nkey = "😋", "locum://STRIPE_KEY?env=prod#id"\nread = os.environ["STRIPE_KEY"]  # 😋\nhome = os.environ["HOME"]\n'


@pytest.fixture(params=NAMING)
def client(request: pytest.FixtureRequest, vault_home: Home) -> Iterator[Client]:
    (vault_home.project / "locum.toml").write_text(MANIFEST)
    made = Client(vault_home, NAMING[request.param])
    yield made
    assert made.close() == 0
    assert made.errors == b""


@pytest.fixture
def namer(client: Client) -> Namer:
    return Namer(client)


def write(home: Home, **files: str) -> None:
    for name, text in files.items():
        path = home.project / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_definition_is_the_manifests_table(client: Client, namer: Namer) -> None:
    uri = client.open("app.py", APP)
    for place in (
        namer.at(uri, "locum://STRIPE_KEY"),
        namer.at(uri, "STRIPE_KEY?"),
        namer.at(uri, 'STRIPE_KEY"]'),
        namer.at(uri, "prod#id"),
    ):
        assert namer.shown(namer.ask("definition", place)) == [("locum.toml", 1, "STRIPE_KEY")]
    assert namer.ask("definition", namer.at(uri, "HOME")) is None
    assert namer.ask("definition", namer.at(uri, "import")) is None


def test_definition_in_a_manifest_that_is_not_saved(client: Client, namer: Namer) -> None:
    manifest = client.open("locum.toml", "\n\n[secrets.NEW_ONE]\n", "toml")
    client.diagnostics(manifest)
    uri = client.open("app.py", 'a = "locum://NEW_ONE"\n')
    assert namer.shown(namer.ask("definition", namer.at(uri, "NEW_ONE"))) == [("locum.toml", 2, "NEW_ONE")]


def test_references_are_found_in_open_and_closed_files(client: Client, namer: Namer) -> None:
    write(
        client.home,
        web__index_DOT_ts="const key = process.env.STRIPE_KEY;\nconst { STRIPE_KEY, X } = process.env;\n",
        compose_DOT_yaml="environment:\n  STRIPE_KEY: ${STRIPE_KEY}\n",
        app_DOT_py="os.environ['STRIPE_KEY'] as it is on the disk, not in the editor\n" * 3,
        deploy_DOT_sh="echo $TOKEN $STRIPE_KEYS $OTHER\n",
        node_modules__x_DOT_js="process.env.STRIPE_KEY\n",
    )
    uri = client.open("app.py", APP)
    place = namer.at(uri, "STRIPE_KEY")
    found = namer.shown(namer.ask("references", place, context={"includeDeclaration": True}))
    assert found == [
        ("app.py", 1, "STRIPE_KEY"), ("app.py", 2, "STRIPE_KEY"),
        ("compose.yaml", 1, "STRIPE_KEY"), ("compose.yaml", 1, "STRIPE_KEY"),
        ("deploy.sh", 0, "TOKEN"),
        ("index.ts", 0, "STRIPE_KEY"), ("index.ts", 1, "STRIPE_KEY"),
        ("locum.toml", 1, "STRIPE_KEY"), ("locum.toml", 5, "STRIPE_KEY"),
        ("locum.toml", 13, "STRIPE_KEY"), ("locum.toml", 17, "STRIPE_KEY"),
    ]  # fmt: skip
    less = namer.shown(namer.ask("references", place, context={"includeDeclaration": False}))
    assert [item for item in found if item not in less] == [
        ("locum.toml", 1, "STRIPE_KEY"),
        ("locum.toml", 5, "STRIPE_KEY"),
    ]
    (client.home.project / "compose.yaml").write_text("nothing\n")
    again = namer.shown(namer.ask("references", place, context={"includeDeclaration": True}))
    assert again == [item for item in found if item[0] != "compose.yaml"]


def test_another_projects_names_are_its_own(client: Client, namer: Namer) -> None:
    write(client.home, other__locum_DOT_toml="[secrets.STRIPE_KEY]\n", other__a_DOT_py='"locum://STRIPE_KEY"\n')
    uri = client.open("app.py", APP)
    found = namer.ask("references", namer.at(uri, "STRIPE_KEY"), context={"includeDeclaration": True})
    assert not [item for item in found if "/other/" in item["uri"]]
    inner = client.open("other/a.py", '"locum://STRIPE_KEY"\n')
    (place,) = namer.ask("definition", namer.at(inner, "STRIPE_KEY"))
    assert place["uri"].endswith("/other/locum.toml")


def test_a_task_gives_a_secret_under_another_name(client: Client, namer: Namer) -> None:
    uri = client.open("deploy.sh", "echo $TOKEN\n", "shellscript")
    assert namer.shown(namer.ask("definition", namer.at(uri, "TOKEN"))) == [("locum.toml", 1, "STRIPE_KEY")]
    assert namer.ask("prepareRename", namer.at(uri, "TOKEN")) is None, (
        "the variable is the task's, not the secret's name"
    )


def test_a_native_reference_leads_to_the_secret_that_is_kept_there(client: Client, namer: Namer) -> None:
    uri = client.open("a.yaml", "a: op://shop/stripe/key\nb: op://shop/other/key\n", "yaml")
    assert namer.shown(namer.ask("definition", namer.at(uri, "op://shop/stripe"))) == [("locum.toml", 1, "STRIPE_KEY")]
    assert namer.ask("definition", namer.at(uri, "op://shop/other")) is None
    assert namer.ask("prepareRename", namer.at(uri, "op://shop/stripe")) is None


def test_a_manifest_that_is_new_in_the_editor_counts(client: Client, namer: Namer) -> None:
    (client.home.project / "locum.toml").unlink()
    (client.home.project / ".git").mkdir()
    manifest = client.open("part/locum.toml", "[secrets.PART]\n", "toml")
    inner, outer = (client.open(name, '"locum://PART"\n') for name in ("part/a.py", "a.py"))
    client.diagnostics(manifest)
    assert namer.ask("definition", namer.at(inner, "PART"))[0]["uri"] == manifest
    assert namer.ask("definition", namer.at(outer, "PART")) is None
    assert [item["label"] for item in complete(namer, inner, namer.at(inner, "PART"))] == ["locum://PART"]


def test_cells_of_an_open_notebook_count_and_its_file_does_not(vault_home: Home) -> None:
    (vault_home.project / "locum.toml").write_text(MANIFEST)
    (vault_home.project / "n.ipynb").write_text('{"cells": [{"source": ["os.environ[\\"STRIPE_KEY\\"]"]}]}\n')
    profile = NAMING["pull"] | {"notebookDocument": {"synchronization": {"dynamicRegistration": False}}}
    client = Client(vault_home, profile)
    namer = Namer(client)
    uri = client.open("app.py", APP)
    place = namer.at(uri, "STRIPE_KEY") | {"context": {"includeDeclaration": False}}
    assert [item for item in namer.ask("references", place) if item["uri"].endswith("n.ipynb")]
    cell = f"vscode-notebook-cell:{(vault_home.project / 'n.ipynb').as_uri().removeprefix('file://')}#W0"
    text = 'import os\nos.environ["STRIPE_KEY"]  # locum://STRIPE_KEY\n'
    client.texts[cell], client.versions[cell] = SourceText(text), 1
    client.notify("notebookDocument/didOpen", {
        "notebookDocument": {
            "uri": (vault_home.project / "n.ipynb").as_uri(), "notebookType": "jupyter-notebook", "version": 0,
            "cells": [{"kind": 2, "document": cell}],
        },
        "cellTextDocuments": [{"uri": cell, "languageId": "python", "version": 1, "text": text}],
    })  # fmt: skip
    found = namer.ask("references", place)
    assert not [item for item in found if item["uri"].endswith("n.ipynb")]
    assert [item["range"]["start"]["line"] for item in found if item["uri"] == cell] == [1, 1]
    namer.rename(namer.at(cell, "locum://STRIPE_KEY", inside=10), "PAY_KEY")
    assert client.texts[cell].text == text.replace("STRIPE_KEY", "PAY_KEY")
    assert 'os.environ["PAY_KEY"]' in client.texts[uri].text
    assert client.close() == 0


def test_highlights(client: Client, namer: Namer) -> None:
    uri = client.open("app.py", APP)
    shown = namer.ask("documentHighlight", namer.at(uri, "STRIPE_KEY"))
    assert [namer.text(uri, item["range"]) for item in shown] == ["STRIPE_KEY"] * 2
    assert namer.ask("documentHighlight", namer.at(uri, "HOME")) is None
    manifest = client.open("locum.toml", MANIFEST, "toml")
    shown = namer.ask("documentHighlight", namer.at(manifest, "test", inside=0))
    assert [(item["kind"], namer.text(manifest, item["range"])) for item in shown] == [(3, "test")]


def hover(namer: Namer, place: Json) -> str:
    answer = namer.ask("hover", place)
    return answer["contents"]["value"] if answer else ""


def test_hover_says_all_but_the_value(client: Client, namer: Namer) -> None:
    value = canary()
    client.home.store("STRIPE_KEY", value)
    uri = client.open("app.py", APP + 'x = "locum://STRIPE_KEY?env=nope"\ny = "op://shop/stripe/key"\n')
    for place in (namer.at(uri, "locum://STRIPE"), namer.at(uri, 'STRIPE_KEY"]')):
        said = hover(namer, place)
        for part in ("the payment \\*key\\*", "your local vault", "1Password", "stage", "test, deploy", "In the vault: yes, stored on",
                     "today", "https://example.com/rotate"):  # fmt: skip
            assert part in said
    assert "nothing of this environment" in hover(namer, namer.at(uri, "env=nope"))
    assert "1Password" in hover(namer, namer.at(uri, "op://"))
    assert hover(namer, namer.at(uri, "HOME")) == ""
    assert value.encode() not in client.received


def test_hover_in_the_manifest(client: Client, namer: Namer) -> None:
    uri = client.open("locum.toml", MANIFEST + 'ttl = "2h"\n[scan]\nexclude = []\n', "toml")
    assert "the payment" in hover(namer, namer.at(uri, "STRIPE_KEY"))
    assert "the payment" in hover(namer, namer.at(uri, '"STRIPE_KEY"', inside=3))
    assert "Where the value is" not in hover(namer, namer.at(uri, "the payment"))
    assert "page where it is made" in hover(namer, namer.at(uri, "docs"))
    assert "How long" in hover(namer, namer.at(uri, "ttl"))
    assert "Gitignore patterns" in hover(namer, namer.at(uri, "exclude"))
    assert "one environment" in hover(namer, namer.at(uri, "env]"))
    assert "Task deploy" in hover(namer, namer.at(uri, "deploy"))
    assert "120 min" in hover(namer, namer.at(uri, "deploy"))


def complete(namer: Namer, uri: str, place: Json) -> list[Json]:
    return namer.ask("completion", place)


def test_completion_of_references(client: Client, namer: Namer) -> None:
    uri = client.open(
        "app.py",
        'a = "😋 locum://STR?x"\nb = "locum://STRIPE_KEY?env="\nc = "op://"\nd = "https://"\ne = "locum://STRIPE_KEY?"\n',
    )

    def after(text: str) -> list[str]:
        place = namer.at(uri, text, inside=len(text))
        items = complete(namer, uri, place)
        made = []
        for item in items:
            edit = item["textEdit"]
            line = client.texts[uri].line(edit["range"]["start"]["line"])
            assert namer.text(uri, edit["range"]) in line
            made.append(edit["newText"])
        return made

    assert after("locum://ST") == ["locum://STRIPE_KEY", "locum://OTHER"]
    assert after("?env=") == ["?env=prod", "?env=stage"]
    assert after("KEY?") == ["?env=prod", "?env=stage"]
    assert after("op://") == ["op://shop/stripe/key"]
    assert after("https://") == []
    assert after("a = ") == []
    first = complete(namer, uri, namer.at(uri, "locum://STR", inside=10))[0]
    assert first["detail"] == "the payment *key* (local vault)"
    assert namer.text(uri, first["textEdit"]["range"]) == "locum://STR", (
        "what stands behind the cursor is replaced as well"
    )


def test_completion_in_a_text_that_is_no_file(client: Client, namer: Namer) -> None:
    uri = client.open("", "see locum://", "plaintext", uri="untitled:Untitled-1")
    items = complete(namer, uri, namer.at(uri, "locum://", inside=8))
    assert [parse(item["textEdit"]["newText"]).name for item in items] == ["STRIPE_KEY", "OTHER"]
    assert namer.ask("hover", namer.at(uri, "locum://")) is None


def test_completion_in_a_manifest_that_is_half_written(client: Client, namer: Namer) -> None:
    uri = client.open("locum.toml", MANIFEST, "toml")
    client.diagnostics(uri)
    client.change(uri, text=MANIFEST + '[tasks.more]\nsecrets = ["')
    items = complete(namer, uri, namer.at(uri, 'secrets = ["', 1, inside=len('secrets = ["')))
    assert [item["textEdit"]["newText"] for item in items] == ['STRIPE_KEY"', 'OTHER"']
    assert items[0]["detail"] == "the payment *key* (local vault)"
    client.change(uri, text=MANIFEST + "[tasks.more]\nt")
    items = complete(namer, uri, namer.at(uri, "\nt", inside=2))
    assert [item["label"] for item in items] == ["command", "secrets", "ttl", "max_ttl", "channel", "pass"]
    assert items[2]["detail"].startswith("How long")
    client.change(uri, text=MANIFEST + "[ta")
    items = complete(namer, uri, namer.at(uri, "[ta", 2, inside=3))
    assert "[tasks.NAME]" in [item["label"] for item in items]


def test_links_go_to_pages_over_https_only(client: Client, namer: Namer) -> None:
    uri = client.open("app.py", APP + '"op://shop/stripe/key", "pass://a/b", "locum://OTHER", "http://example.com"\n')
    links = client.request("textDocument/documentLink", {"textDocument": {"uri": uri}})
    assert [(namer.text(uri, item["range"]), item["target"]) for item in links] == [
        ("locum://STRIPE_KEY?env=prod#id", "https://example.com/rotate"),
        ("op://shop/stripe/key", "https://example.com/rotate"),
        ("pass://a/b", "https://www.passwordstore.org/"),
    ]
    text = MANIFEST + '[secrets.A]\ndocs = "http://example.com"\n[secrets.B]\ndocs = "javascript:alert(1)"\n'
    manifest = client.open("locum.toml", text, "toml")
    links = client.request("textDocument/documentLink", {"textDocument": {"uri": manifest}})
    assert {item["target"].partition(":")[0] for item in links} == {"https"}
    assert "https://example.com/rotate" in {namer.text(manifest, item["range"]) for item in links}


def test_symbols_of_the_manifest(client: Client, namer: Namer) -> None:
    token = github_token()
    uri = client.open("locum.toml", MANIFEST + f'[tasks."{token}"]\n', "toml")
    symbols = client.request("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
    assert [(item["name"], item["detail"]) for item in symbols] == [
        ("STRIPE_KEY", "secret"), ("OTHER", "secret"), ("test", "task"), ("deploy", "task"),
    ]  # fmt: skip
    for item in symbols:
        assert namer.text(uri, item["selectionRange"]) == item["name"]
        assert namer.text(uri, item["range"]).startswith("[")
    assert token[4:].encode() not in client.received
    assert client.request("textDocument/documentSymbol", {"textDocument": {"uri": client.open("a.py", APP)}}) is None


def hints(client: Client, uri: str) -> list[str]:
    whole = {"start": {"line": 0, "character": 0}, "end": {"line": 999, "character": 0}}
    return [
        item["label"]
        for item in client.request("textDocument/inlayHint", {"textDocument": {"uri": uri}, "range": whole}) or []
    ]


def test_hints_say_how_a_reference_stands(client: Client) -> None:
    client.home.store("OTHER", canary())
    uri = client.open(
        "app.py",
        '"locum://STRIPE_KEY", "locum://STRIPE_KEY?env=prod"\n"locum://OTHER", "keyring://a/b", "locum://NOBODY"\n',
    )
    wanted = ["not stored yet", "1Password", "local vault", "system keyring"]
    said: list[str] = []
    end = time.monotonic() + 20
    while said != wanted and time.monotonic() < end:  # the first answer comes of what is known, which is nothing
        said = hints(client, uri)
        time.sleep(0.05)
    assert said == wanted
    if "diagnosticProvider" in client.capabilities:
        assert [request for request in client.requests if request["method"] == "workspace/inlayHint/refresh"]
    assert hints(client, client.open("b.py", "import os\n")) == []


def tokens(client: Client, uri: str, place: Json | None = None) -> list[str]:
    kind = "range" if place else "full"
    answer: Any = client.request(
        f"textDocument/semanticTokens/{kind}", {"textDocument": {"uri": uri}} | ({"range": place} if place else {})
    )
    line = column = 0
    found: list[str] = []
    data = (answer or {"data": []})["data"]
    for at in range(0, len(data), 5):
        line, column = line + data[at], data[at + 1] + (column if data[at] == 0 else 0)
        there = {
            "start": {"line": line, "character": column},
            "end": {"line": line, "character": column + data[at + 2]},
        }
        found.append(client.text_at(uri, there))
    return found


def test_tokens_are_the_references(client: Client) -> None:
    assert client.capabilities["semanticTokensProvider"]["legend"]["tokenTypes"] == ["variable"]
    uri = client.open("app.py", APP + '"😋😋 pass://a/b locum://OTHER"\n')
    assert tokens(client, uri) == ["locum://STRIPE_KEY?env=prod#id", "pass://a/b", "locum://OTHER"]
    first = {"start": {"line": 0, "character": 0}, "end": {"line": 2, "character": 0}}
    assert tokens(client, uri, first) == ["locum://STRIPE_KEY?env=prod#id"]
    manifest = client.open("locum.toml", "[secrets.A]\n[tasks.t]\nsecrets = ['A']\n", "toml")
    assert tokens(client, manifest) == ["A", "t", "A"]


def test_the_manifest_says_what_is_not_stored_and_what_nobody_uses(client: Client) -> None:
    client.home.store("STRIPE_KEY", canary())
    (client.home.project / "app.py").write_text(APP)
    text = MANIFEST.replace('"STRIPE_KEY", "OTHER"', '"STRIPE_KEY"') + "[tasks.none]\n"
    uri = client.open("locum.toml", text, "toml")
    wanted = {("unused-secret", "OTHER"), ("not-stored", "OTHER"), ("no-command", "none")}
    said: list[Json] = []
    end = time.monotonic() + 30
    while {(item["code"], client.text_at(uri, item["range"])) for item in said} != wanted and time.monotonic() < end:
        time.sleep(0.05)
        said = client.diagnostics(uri)
    assert {(item["code"], client.text_at(uri, item["range"])) for item in said} == wanted
    assert {item["code"]: item["severity"] for item in said} == {"unused-secret": 4, "not-stored": 3, "no-command": 3}
    if "diagnosticProvider" in client.capabilities:
        assert [item["tags"] for item in said if item["code"] == "unused-secret"] == [[1]]


def test_no_text_and_no_place_stops_it(client: Client, namer: Namer) -> None:
    uri = client.open("locum.toml", '[secrets.\nx = [\n"""\n[[', "toml")
    for line in range(6):
        for column in (0, 1, 5, 99):
            place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}}
            for method in ("hover", "completion", "definition", "documentHighlight", "prepareRename"):
                namer.ask(method, place)
    client.request("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
    nowhere = {"textDocument": {"uri": "file:///nowhere"}, "position": {"line": 0, "character": 0}}
    for method in ("hover", "definition", "documentHighlight", "prepareRename"):
        assert namer.ask(method, nowhere) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_places_are_exact_in_every_encoding(vault_home: Home, encoding: str) -> None:
    (vault_home.project / "locum.toml").write_text(MANIFEST)
    (vault_home.project / "b.py").write_text('x = "é😋漢", "locum://STRIPE_KEY", "😋"\n')
    client = Client(vault_home, NAMING["push"] | {"general": {"positionEncodings": [encoding]}})
    namer = Namer(client)
    uri = client.open("app.py", APP)
    found = namer.shown(namer.ask("references", namer.at(uri, "STRIPE_KEY"), context={"includeDeclaration": True}))
    assert {name for _, _, name in found} == {"STRIPE_KEY"}
    assert tokens(client, uri) == ["locum://STRIPE_KEY?env=prod#id"]
    client.close()


def test_a_session_that_asks_nothing_pays_nothing(vault_home: Home) -> None:
    """The modules of names are read when a name is asked for, not when the server starts."""

    code = "import sys, locum.lsp.server as s; s.make(); print([m for m in sys.modules if m.startswith('locum.')])"
    done = subprocess.run(
        [*vault_home.command("lsp")[:1], "-c", code], env=vault_home.env, capture_output=True, text=True, check=True
    )
    loaded = done.stdout
    for module in (
        "refs.uses",
        "lsp.usage",
        "lsp.naming",
        "lsp.renames",
        "lsp.marks",
        "lsp.completing",
        "refs.manifest_help",
        "lsp.symbols",
    ):
        assert f"'locum.{module}'" not in loaded, module


def test_unknown_words_of_a_client_are_no_matter(vault_home: Home) -> None:
    client = Client(vault_home, PUSH)  # without prepareSupport
    assert client.capabilities["renameProvider"] is True
    assert json.dumps(client.capabilities)
    client.close()


def test_a_value_is_in_nothing_that_the_server_sends(client: Client, namer: Namer) -> None:
    """Not from the vault, and not where somebody wrote it in the place of a name, a description, a page or a task."""
    stored, written = canary(), github_token()
    client.home.store("STRIPE_KEY", stored)
    manifest = MANIFEST + (
        f'[secrets.{written}]\n[secrets.PAGE]\ndescription = "as {written}"\ndocs = "https://example.com/{written}"\n'
        f'source = "op://a/{written}/b"\n[secrets.PAGE.env]\nprod = "op://b/{written}/c"\n[tasks.{written}]\nsecrets = ["PAGE"]\n'
    )
    (client.home.project / "locum.toml").write_text(manifest)
    text = (
        f'"locum://{written}", "locum://PAGE", "locum://PAGE?env=", "op://b/{written}/c", "locum://"\n'
        f'os.environ["{written}"], "{stored}"\n"op://"\n'
    )
    opened = [client.open("app.py", text), client.open("locum.toml", manifest, "toml")]
    whole = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}
    for uri in opened:
        client.diagnostics(uri)
        document = {"textDocument": {"uri": uri}}
        for method in ("documentLink", "documentSymbol", "semanticTokens/full"):
            client.request(f"textDocument/{method}", document)
        client.request("textDocument/inlayHint", document | {"range": whole})
        source = client.texts[uri]
        for line, start in enumerate(source.starts):
            for column in range(0, len(source.line(line)) + 1, 4):
                assert start >= 0
                place = document | {"position": {"line": line, "character": column}}
                for method in ("hover", "completion", "definition", "documentHighlight", "prepareRename"):
                    namer.ask(method, place)
                client.ask("textDocument/rename", place | {"newName": "OTHER"})
            place = document | {"position": {"line": line, "character": 2}}
            namer.ask("references", place, context={"includeDeclaration": True})
    for value in (stored, written, written[4:]):
        told = client.received.partition(value.encode())
        assert not told[1], told[0][-200:] + told[2][:100]
