"""Rules of one's own in the editor: they count as soon as the manifest says them, and a wrong one is told where it stands."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Iterator

import pytest

from support.home import Home
from support.lsp import PULL, PUSH, Client

REGEX = "'\\bacme_([a-z0-9]{24})\\b'"
RULE = f"[[scan.rule]]\nid = 'acme'\ntitle = 'Acme ![x](http://x)'\nregex = {REGEX}\nkeywords = ['acme_']\n"


@pytest.fixture(params=["push", "pull"])
def client(request: pytest.FixtureRequest, vault_home: Home) -> Iterator[Client]:
    made = Client(vault_home, {"push": PUSH, "pull": PULL}[request.param])
    yield made
    assert made.close() == 0


def test_a_rule_counts_when_the_manifest_says_it(client: Client) -> None:
    secret = "".join(random.choices(string.ascii_lowercase + string.digits, k=24))
    manifest = client.open("locum.toml", "", "toml")
    code = client.open("a.py", f"f('acme_{secret}')\n", "python")
    assert client.diagnostics(code) == []
    client.change(manifest, text=RULE)
    until = time.monotonic() + 10
    while not (found := client.diagnostics(code)) and time.monotonic() < until:
        time.sleep(0.05)  # pushed anew, and nobody says when
    (said,) = found
    assert (said["code"], client.text_at(code, said["range"])) == ("own-acme", secret)
    hover = client.request("textDocument/hover", {"textDocument": {"uri": code}, "position": said["range"]["start"]})
    assert "Acme" in str(hover)
    assert "![x]" not in str(hover), "no picture that an editor would fetch"
    assert secret not in str(hover)


def test_a_wrong_one_is_told_and_the_built_in_rules_go_on(client: Client) -> None:
    manifest = client.open("locum.toml", RULE.replace("\\bacme", "(?=a)acme"), "toml")
    (said,) = client.diagnostics(manifest)
    assert said["code"] == "bad-manifest"
    assert client.text_at(manifest, said["range"]) == REGEX.replace("\\bacme", "(?=a)acme")
    assert "(?=" in said["message"]
