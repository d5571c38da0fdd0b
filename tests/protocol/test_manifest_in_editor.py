"""`locum.toml` in the editor: what is wrong with it, and what other files call that it does not declare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import pytest

from support.home import Home
from support.lsp import PULL, PUSH, Client, Json
from support.tokens import github_token

FADING: Json = deepcopy(PULL)
FADING["textDocument"]["publishDiagnostics"] |= {"tagSupport": {"valueSet": [1, 2]}}
PROFILES: dict[str, dict[str, Any]] = {"push": PUSH, "pull": FADING}
TODAY = date.today()  # noqa: DTZ011 - the calendar that the server reads
ENDED = TODAY - timedelta(days=1)


@pytest.fixture(params=PROFILES)
def client(request: pytest.FixtureRequest, vault_home: Home) -> Iterator[Client]:
    made = Client(vault_home, PROFILES[request.param])
    yield made
    assert made.close() == 0
    assert made.errors == b""


def told(client: Client, uri: str) -> list[tuple[str, str]]:
    return [(said["code"], client.text_at(uri, said["range"])) for said in client.diagnostics(uri)]


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("[secrets.A]\ndescripton = '😋'\n", "descripton", "did you mean description?"),
        ("# 😋\n[secrets.A]\ndocs = [1]  # 😋\n", "[1]", "docs is a text"),
        ('[secrets.STRIPE]\n[tasks.t]\nsecrets = [ "STRIP" ]\n', '"STRIP"', "did you mean STRIPE?"),
        ('[[scan.allow]]\nrule = "x"\n', "[[scan.allow]]", "every allowance says its reason"),
        ("[secrets.A\nx = 1\n", "[secrets.A", "not valid TOML"),
        ("a = 😋", "a = 😋", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_told_in_the_command_lines_words(client: Client, text: str, place: str, says: str) -> None:
    uri = client.open("locum.toml", text, "toml")
    (said,) = client.diagnostics(uri)
    assert client.text_at(uri, said["range"]) == place
    assert (said["code"], said["severity"]) == ("bad-manifest", 1)
    assert says in said["message"]
    (client.home.project / "locum.toml").write_text(text)
    assert said["message"] in client.home.run("scan", check=2).stderr.replace("locum: ", "")


def test_all_of_it_is_told_and_taken_back(client: Client) -> None:
    uri = client.open("locum.toml", "[secrets.A]\nx = 1\n[secrets.B]\ny = 2\n", "toml")
    assert told(client, uri) == [("bad-manifest", "x"), ("bad-manifest", "y")]
    client.change(uri, text="[secrets.A]\n[secrets.B]\n")
    assert told(client, uri) == []


def test_an_allowance_that_has_ended_is_faded(client: Client) -> None:
    text = f"[[scan.allow]]\nrule = 'x'\nreason = 'r'\nexpires = {ENDED}  # over\n[[scan.allow]]\nrule = 'y'\nreason = 's'\nexpires = {TODAY}\n"
    uri = client.open("locum.toml", text, "toml")
    (said,) = client.diagnostics(uri)
    assert client.text_at(uri, said["range"]) == str(ENDED)
    assert said["code"] == "expired-allowance"
    assert said["severity"] == 2
    assert said.get("tags") == ([1] if "diagnosticProvider" in client.capabilities else None)


def test_what_has_ended_is_told_beside_what_is_wrong(client: Client) -> None:
    text = f"[[scan.allow]]\nrule = 'x'\n[[scan.allow]]\nrule = 'y'\nreason = 's'\nexpires = {ENDED}\n"
    uri = client.open("locum.toml", text, "toml")
    assert told(client, uri) == [("bad-manifest", "[[scan.allow]]"), ("expired-allowance", str(ENDED))]


def test_a_secret_in_the_manifest_is_a_finding_and_in_no_message(client: Client) -> None:
    token = github_token()
    text = f'[secrets.A]\nsource = "{token}"\n[tasks.t]\nsecrets = ["{token}"]\n[scan]\n"{token}" = 1\n'
    uri = client.open("locum.toml", text, "toml")
    said = client.diagnostics(uri)
    assert [item["code"] for item in said].count("github-pat") == 3
    assert token[4:] not in json.dumps(said)


def test_a_reference_that_nobody_declares_is_told_with_the_nearest(client: Client) -> None:
    (client.home.project / "locum.toml").write_text("[secrets.STRIPE_API_KEY]\n")
    uri = client.open(
        "app.py", '# 😋\na = "locum://STRIPE_APIKEY"\nb = "locum://STRIPE_API_KEY#field"\nc = "op://vault/item/field"\n'
    )
    (said,) = client.diagnostics(uri)
    assert client.text_at(uri, said["range"]) == "locum://STRIPE_APIKEY"
    assert (said["code"], said["severity"]) == ("unknown-reference", 2)
    assert "did you mean STRIPE_API_KEY?" in said["message"]
    assert "STRIPE_APIKEY" not in said["message"], "what stands there may be a value in the wrong place"
    assert [
        item["severity"] for item in client.diagnostics(client.open("docs/a.md", "`locum://OTHER`\n", "markdown"))
    ] == [3]


def test_without_a_manifest_nobody_knows(client: Client) -> None:
    assert told(client, client.open("app.py", 'a = "locum://ANYTHING"\n')) == []


def test_declaring_it_in_the_editor_is_enough(client: Client) -> None:
    (client.home.project / "locum.toml").write_text("[secrets.OTHER]\n")
    uri = client.open("app.py", 'a = "locum://NEW_KEY"\n')
    assert told(client, uri) == [("unknown-reference", "locum://NEW_KEY")]
    manifest = client.open("locum.toml", "[secrets.OTHER]\n", "toml")
    client.diagnostics(manifest)
    client.change(manifest, text="[secrets.OTHER]\n[secrets.NEW_KEY]\n")
    if "diagnosticProvider" in client.capabilities:
        assert told(client, uri) == []
    else:
        client.wait_note("textDocument/publishDiagnostics", lambda p: p["uri"] == uri and not p["diagnostics"])


def test_a_moved_secret_is_never_told_as_unknown(client: Client) -> None:
    (client.home.project / "locum.toml").write_text("[secrets.OTHER]\n")
    uri = client.open("config.yaml", f"github:\n  token: {github_token()}\n", "yaml")
    assert client.fix(uri, client.diagnostics(uri)[0])["applied"]
    assert "locum://" in client.texts[uri].text
    assert told(client, uri) == []
    pushed = [note["params"] for note in client.notes if note["method"] == "textDocument/publishDiagnostics"]
    assert not [item for params in pushed for item in params["diagnostics"] if item["code"] == "unknown-reference"]
