"""Renaming a secret: the vault first, then every file at once; or nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.home import Home, canary
from support.lsp import Client, Json
from support.names import NAMING, Namer

MANIFEST = """\
# the names of this project
[secrets.OLD_KEY]
docs = "https://example.com/OLD_KEY"

[secrets.OLD_KEY.env]
prod = "op://a/b/OLD_KEY"

[secrets.OLD_KEYS]

[tasks.one]
command = ["run", "OLD_KEY"]
secrets = [
  "OLD_KEYS",  # OLD_KEY
  "OLD_KEY",
]
[tasks.two]
secrets = { OLD_KEY = "locum://OLD_KEY", OTHER = "locum://OLD_KEY?env=prod" }
"""
FILES = {
    "app.py": 'import os\nOLD_KEY = os.environ["OLD_KEY"]  # locum://OLD_KEY, and 😋 locum://OLD_KEY#f.\nprint(OLD_KEY, "OLD_KEY")\n',
    "web.ts": "const { OLD_KEY, OLD_KEYS } = process.env;\nfetch(process.env.OLD_KEY, `${OLD_KEY}`);\n",
    ".env.example": "OLD_KEY=\nOLD_KEYS=\n",
    ".env": "OLD_KEY=locum://OLD_KEY\r\nX=locum://OLD_KEY?env=prod\r\n",
    "compose.yaml": "environment:\n  - OLD_KEY\n  - A=${OLD_KEY:-x}\n",
    "ci.yml": "env:\n  OLD_KEY: ${{ secrets.OLD_KEY }}\nrun: echo $OLD_KEY\n",
    "run.sh": 'export OLD_KEY\necho "$OLD_KEY ${OLD_KEY%%x} $OLD_KEYS"\nlocum run --secret OLD_KEY -- x\n',
}
RENAMED = {
    "app.py": 'import os\nOLD_KEY = os.environ["NEW_KEY"]  # locum://NEW_KEY, and 😋 locum://NEW_KEY#f.\nprint(OLD_KEY, "OLD_KEY")\n',
    "web.ts": "const { NEW_KEY: OLD_KEY, OLD_KEYS } = process.env;\nfetch(process.env.NEW_KEY, `${OLD_KEY}`);\n",
    ".env.example": "NEW_KEY=\nOLD_KEYS=\n",
    ".env": "NEW_KEY=locum://NEW_KEY\r\nX=locum://NEW_KEY?env=prod\r\n",
    "compose.yaml": "environment:\n  - NEW_KEY\n  - A=${NEW_KEY:-x}\n",
    "ci.yml": "env:\n  NEW_KEY: ${{ secrets.OLD_KEY }}\nrun: echo $NEW_KEY\n",
    "run.sh": 'export NEW_KEY\necho "$NEW_KEY ${NEW_KEY%%x} $OLD_KEYS"\nlocum run --secret NEW_KEY -- x\n',
}
RENAMED_MANIFEST = """\
# the names of this project
[secrets.NEW_KEY]
docs = "https://example.com/OLD_KEY"

[secrets.NEW_KEY.env]
prod = "op://a/b/OLD_KEY"

[secrets.OLD_KEYS]

[tasks.one]
command = ["run", "OLD_KEY"]
secrets = [
  "OLD_KEYS",  # OLD_KEY
  "NEW_KEY",
]
[tasks.two]
secrets = { NEW_KEY = "locum://NEW_KEY", OTHER = "locum://NEW_KEY?env=prod" }
"""


@pytest.fixture(params=NAMING)
def client(request: pytest.FixtureRequest, vault_home: Home) -> Iterator[Client]:
    for name, text in (FILES | {"locum.toml": MANIFEST}).items():
        (vault_home.project / name).write_bytes(text.encode())
    made = Client(vault_home, NAMING[request.param])
    yield made
    assert made.close() == 0
    assert made.errors == b""


@pytest.fixture
def namer(client: Client) -> Namer:
    return Namer(client)


def texts(client: Client, folder: Path) -> dict[str, str]:
    """Return every file as the editor has it, else as the disk has it."""
    return {
        path.name: client.texts[path.as_uri()].text if path.as_uri() in client.texts else path.read_bytes().decode()
        for path in folder.iterdir()
        if path.is_file()
    }


def failed(client: Client, place: Json, new: str) -> str:
    answer = client.ask("textDocument/rename", place | {"newName": new})
    assert answer["error"]["code"] == -32803
    assert not [request for request in client.requests if request["method"] == "workspace/applyEdit"]
    return answer["error"]["message"]


@pytest.mark.parametrize("opened", [(), ("locum.toml",), ("web.ts", ".env")])
def test_renamed_everywhere_and_back(client: Client, namer: Namer, opened: tuple[str, ...]) -> None:
    folder = client.home.project
    for name in opened:
        client.open(name, (FILES | {"locum.toml": MANIFEST})[name], "")
    uri = client.open("app.py", FILES["app.py"])
    before = texts(client, folder)
    place = namer.at(uri, "locum://OLD_KEY", inside=10)
    assert namer.text(uri, namer.ask("prepareRename", place)) == "OLD_KEY"
    changed = namer.rename(place, "NEW_KEY")
    assert changed == sorted([*FILES, "locum.toml"])
    assert texts(client, folder) == RENAMED | {"locum.toml": RENAMED_MANIFEST}
    if opened == ():
        namer.rename(namer.at(uri, "locum://NEW_KEY", inside=10), "OLD_KEY")
        after = texts(client, folder)
        # the destructuring names its variable now, which means the same
        assert after.pop("web.ts").replace("{ OLD_KEY: OLD_KEY,", "{ OLD_KEY,") == before.pop("web.ts")
        assert after == before


def test_edits_of_open_documents_are_bound_to_versions_where_the_client_knows_that(
    client: Client, namer: Namer
) -> None:
    uri = client.open("app.py", FILES["app.py"])
    edit = namer.ask("rename", namer.at(uri, "locum://OLD_KEY", inside=10), newName="NEW_KEY")
    if "diagnosticProvider" not in client.capabilities:
        assert list(edit) == ["changes"]
        return
    versions = {
        namer.path(change["textDocument"]["uri"]).name: change["textDocument"]["version"]
        for change in edit["documentChanges"]
    }
    assert versions.pop("app.py") == 1
    assert set(versions.values()) == {None}


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("9lives", "this cannot name a secret"),
        ("", "this cannot name a secret"),
        ("A B", "this cannot name a secret"),
        ("OLD_KEYS", "declares OLD_KEYS already"),
        ("OLD_KEY", "its name already"),
        ("new.key", "cannot name one"),
    ],
)
def test_a_name_that_cannot_be(client: Client, namer: Namer, new: str, says: str) -> None:
    uri = client.open("app.py", FILES["app.py"])
    assert says in failed(client, namer.at(uri, "locum://OLD_KEY", inside=10), new)


def test_a_name_with_a_point_where_no_variable_stands(client: Client, namer: Namer) -> None:
    (client.home.project / "locum.toml").write_text("[secrets.OTHER]\n")
    (client.home.project / "a.yaml").write_text("x: locum://OTHER#f\n")
    uri = client.open("b.txt", "locum://OTHER.\n", "plaintext")
    namer.rename(namer.at(uri, "OTHER"), "my.new-name")
    assert client.texts[uri].text == "locum://my.new-name.\n"
    assert texts(client, client.home.project)["locum.toml"] == '[secrets."my.new-name"]\n'
    assert (client.home.project / "a.yaml").read_text() == "x: locum://my.new-name#f\n"


def test_what_is_not_declared_is_not_renamed(client: Client, namer: Namer) -> None:
    uri = client.open("app.py", 'a = "locum://NOBODY"\nb = os.environ["HOME"]\n')
    assert namer.ask("prepareRename", namer.at(uri, "NOBODY")) is None
    assert namer.ask("prepareRename", namer.at(uri, "HOME")) is None
    assert namer.ask("rename", namer.at(uri, "HOME"), newName="X") is None
    assert "locum.toml declares" in failed(client, namer.at(uri, "NOBODY"), "X")


def test_a_task_is_renamed_in_the_manifest(client: Client, namer: Namer) -> None:
    uri = client.open("locum.toml", MANIFEST, "toml")
    assert namer.rename(namer.at(uri, "one]"), "first") == ["locum.toml"]
    assert client.texts[uri].text == MANIFEST.replace("[tasks.one]", "[tasks.first]")
    assert "has a task two already" in failed(client, namer.at(uri, "first]"), "two")


# -- the vault ----------------------------------------------------------------------------------------------------


def stored(home: Home) -> list[str]:
    return [item["name"] for item in home.json("secret", "list")["secrets"]]


def test_a_value_without_a_yes_stays_and_nothing_is_edited(client: Client, namer: Namer) -> None:
    value = canary()
    client.home.store("OLD_KEY", value)
    before = texts(client, client.home.project)
    uri = client.open("app.py", FILES["app.py"])
    failed(client, namer.at(uri, "locum://OLD_KEY", inside=10), "NEW_KEY")
    assert stored(client.home) == ["OLD_KEY"]
    assert texts(client, client.home.project) == before
    assert value.encode() not in client.received


def test_a_name_that_the_vault_has_already(client: Client, namer: Namer) -> None:
    client.home.store("OLD_KEY", canary())
    client.home.store("NEW_KEY", canary())
    uri = client.open("app.py", FILES["app.py"])
    assert "your vault has NEW_KEY already" in failed(client, namer.at(uri, "locum://OLD_KEY", inside=10), "NEW_KEY")


@pytest.mark.parametrize("says", ["Allow once", "Deny"])
def test_the_vault_first(vault_home: Home, says: str) -> None:
    for name, text in (FILES | {"locum.toml": MANIFEST}).items():
        (vault_home.project / name).write_bytes(text.encode())
    value = canary()
    vault_home.store("OLD_KEY", value)
    client = Client(vault_home, NAMING["push"], approvals="server")
    namer = Namer(client)

    def answer(params: Json) -> Json:
        time.sleep(0.6)  # nobody reads a question faster
        return {"title": says}

    client.answers["window/showMessageRequest"] = answer
    for _ in range(100):
        if vault_home.json("broker", "status").get("control"):
            break
        threading.Event().wait(0.05)
    uri = client.open("app.py", FILES["app.py"])
    place = namer.at(uri, "locum://OLD_KEY", inside=10)
    if says == "Deny":
        failed(client, place, "NEW_KEY")
        assert stored(vault_home) == ["OLD_KEY"]
        assert client.texts[uri].text == FILES["app.py"]
    else:
        namer.rename(place, "NEW_KEY")
        assert sorted(stored(vault_home)) == ["NEW_KEY", "OLD_KEY"]
        assert texts(client, vault_home.project) == RENAMED | {"locum.toml": RENAMED_MANIFEST}
        namer.rename(namer.at(uri, "locum://NEW_KEY", inside=10), "OLD_KEY")  # both have the value: nobody is asked
        assert client.texts[uri].text == FILES["app.py"]
    assert value.encode() not in client.received
    client.close()


# -- long searches ------------------------------------------------------------------------------------------------


def test_a_long_search_shows_how_far_it_is_and_stops_when_told(vault_home: Home) -> None:
    (vault_home.project / "locum.toml").write_text("[secrets.OLD_KEY]\n")
    for folder in range(40):
        path = vault_home.project / f"d{folder}"
        path.mkdir()
        for number in range(250):
            (path / f"{number}.py").write_text(f'import os\nx = {number}\nprint("a$b", os.environ["OTHER"])\n' * 40)
    client = Client(vault_home, NAMING["push"])
    namer = Namer(client)
    uri = client.open("app.py", FILES["app.py"])
    place = namer.at(uri, "locum://OLD_KEY", inside=10) | {"context": {"includeDeclaration": True}}

    def stop(note: Json) -> None:
        client.wait_note("$/progress", lambda p: p["token"] == "t1" and p["value"]["kind"] == "report")
        client.notify("window/workDoneProgress/cancel", {"token": "t1"})

    threading.Thread(target=stop, args=({},), daemon=True).start()
    answer = client.ask("textDocument/references", place | {"workDoneToken": "t1"})
    assert answer["error"]["code"] == -32800
    kinds = [note["params"]["value"]["kind"] for note in client.notes if note["method"] == "$/progress"]
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"
    assert len(namer.ask("references", place)) == 4
    started = time.perf_counter()
    assert len(namer.ask("references", place)) == 4
    assert time.perf_counter() - started < 5
    client.close()
