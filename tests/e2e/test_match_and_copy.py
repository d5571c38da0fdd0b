"""`match_secret` and `copy_secret` through a real broker: what they tell, what they refuse, what is written down."""

from __future__ import annotations

import pytest

from locum.broker.client import BrokerClient, connect
from locum.broker.comparisons import BURST
from locum.broker.start import start_with_control
from locum.errors import LocumError, NotAllowed, Unavailable
from locum.paths import user_paths
from locum.secret import SecretBytes
from support.home import Home, canary


@pytest.fixture
def own(vault_home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Give a home whose broker this process may talk to as a client."""
    monkeypatch.setenv("LOCUM_HOME", str(vault_home.path))
    return vault_home


def records(home: Home, operation: str) -> list[dict]:
    return [item for item in home.json("audit", "show")["records"] if item["api"]["operation"] == operation]


def refusal(client: BrokerClient, guess: str) -> Unavailable:
    """Guess until it is refused; while the burst was used up, some came back: one a second."""
    for _ in range(60):
        try:
            client.match_secret(SecretBytes(guess.encode()))
        except Unavailable as error:
            return error
    pytest.fail("nothing is refused")


def test_a_value_has_its_name_and_no_other_has_one(own: Home) -> None:
    value = canary()
    with connect() as client:
        assert client.match_secret(SecretBytes(value.encode())) == ""
        client.store_secret("KEY_B", SecretBytes(value.encode()), origin="test")
        client.store_secret("KEY_A", SecretBytes(value.encode()), origin="test")
        assert client.match_secret(SecretBytes(value.encode())) == "KEY_A"
        assert client.match_secret(SecretBytes(value[:-1].encode())) == ""
        client.lock()
        assert client.match_secret(SecretBytes(value.encode())) == "KEY_A", "a key file opens it again, as for a list"
    locked, left = records(own, "secret.match")
    assert (locked["unmapped"]["tried"], locked["unmapped"]["refused"]) == (3, 0)
    assert [item["name"] for item in left["resources"]] == ["KEY_A"]
    assert value.encode() not in own.everything_written()
    assert "whole" in own.run("audit", "verify").stdout


def test_guessing_comes_to_an_end_for_all_connections_and_names_nothing(own: Home) -> None:
    value = canary()
    own.store("THE_NAME", value)
    with connect() as one, connect() as other:
        for _ in range(BURST // 2):
            one.match_secret(SecretBytes(b"a guess of mine"))
            other.match_secret(SecretBytes(b"a guess of mine"))
        for client, guess in ((one, value), (other, "short")):
            refused = refusal(client, guess)
            assert refused.code == "unavailable.rate"
            assert "THE_NAME" not in refused.explain()
        assert one.list_secrets(), "the rest goes on"


def test_a_locked_vault_that_needs_a_person_is_not_opened(own: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    own.store("KEY", canary())
    own.run("vault", "lock")
    (own.path / "config/vault.key").unlink(missing_ok=True)
    for key in own.path.rglob("vault.key"):
        key.unlink()
    with connect() as client, pytest.raises(NotAllowed) as caught:
        client.match_secret(SecretBytes(b"a guess of mine"))
    assert caught.value.code.startswith("locked")


def test_a_second_name_takes_a_yes_that_shows_both(own: Home) -> None:
    value = canary()
    own.store("PROD_KEY", value)
    own.store("TAKEN", canary())
    with connect() as client:
        with pytest.raises(NotAllowed) as nobody:
            client.copy_secret("PROD_KEY", "HARMLESS")
        assert "takes a person" in nobody.value.message
        own.run("broker", "stop")
    channel = start_with_control(user_paths())
    assert channel is not None
    for allow in (False, True):
        task = own.terminal("secret", "copy", "PROD_KEY", "HARMLESS")
        question = channel.next_question(20)
        assert question is not None
        assert question["names"] == ["PROD_KEY", "HARMLESS"]
        assert "PROD_KEY" in question["title"]
        assert "HARMLESS" in question["title"]
        channel.answer(question["id"], allow=allow)
        assert task.wait() == (0 if allow else 3)
        assert ("Refer to it as locum://HARMLESS" in task.text) is allow
        names = [item["name"] for item in own.json("secret", "list")["secrets"]]
        assert ("HARMLESS" in names) is allow
    with connect() as client:
        assert client.match_secret(SecretBytes(value.encode())) == "HARMLESS"
        for name, new_name in (("PROD_KEY", "TAKEN"), ("NONE", "NEW"), ("PROD_KEY", "9 bad"), ("PROD_KEY", "PROD_KEY")):
            with pytest.raises(LocumError) as caught:
                client.copy_secret(name, new_name)
            assert caught.value.code in {"secret.exists", "secret.absent", "secret.name"}
    channel.close()
    (record,) = records(own, "secret.copy")
    assert [item["name"] for item in record["resources"]] == ["PROD_KEY", "HARMLESS"]
