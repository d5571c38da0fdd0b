"""`secret.request`: who is asked for a value, and what counts as having stored it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from locum.broker.client import connect
from locum.broker.start import ControlChannel, start_with_control
from locum.errors import LocumError, NotAllowed
from locum.paths import user_paths
from support.home import Home, canary


@pytest.fixture
def channel(vault_home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlChannel]:
    """Give what an editor holds."""
    vault_home.run("broker", "stop", check=None)
    monkeypatch.setenv("LOCUM_HOME", str(vault_home.path))
    held = start_with_control(user_paths())
    assert held is not None
    yield held
    held.close()


def asked(channel: ControlChannel, answer: Callable[[str], bool]) -> bool:
    """Ask for NEW while an editor answers by `answer`, which gets the new name."""

    def editor() -> None:
        while (message := channel.next_message(20)) is not None:
            if message.get("event") == "value":
                channel.answer(message["question"]["id"], answer(message["question"]["value_for"]))
                return

    beside = threading.Thread(target=editor)
    beside.start()
    try:
        with connect() as client:
            return client.request_secret("NEW", "to try")
    finally:
        beside.join(20)


def test_a_stored_value_is_a_yes_and_is_not_asked_for_again(vault_home: Home, channel: ControlChannel) -> None:
    def store(name: str) -> bool:
        vault_home.store(name, canary())
        return True

    channel.take_values()
    assert asked(channel, store) is True
    with connect() as client:
        assert client.request_secret("NEW", "to try") is False
        with pytest.raises(LocumError, match="cannot name"):
            client.request_secret("../NEW", "to try")


@pytest.mark.parametrize("says_yes", [True, False])
def test_an_answer_without_a_value_stores_nothing(vault_home: Home, channel: ControlChannel, says_yes: bool) -> None:
    channel.take_values()
    with pytest.raises(NotAllowed) as refused:
        asked(channel, lambda _: says_yes)
    assert ("nothing was stored" in refused.value.message) is says_yes
    assert vault_home.json("secret", "list")["secrets"] == []


def test_an_editor_that_can_take_none_is_not_asked(channel: ControlChannel) -> None:
    with connect() as client, pytest.raises(NotAllowed) as refused:
        client.request_secret("NEW", "to try")
    assert refused.value.code == "denied.nobody"
    assert "locum secret set NEW" in refused.value.hint
    assert channel.next_question(0.2) is None


def test_who_hangs_up_takes_the_question_back(channel: ControlChannel) -> None:
    channel.take_values()
    client = connect()
    problems: list[str] = []

    def ask() -> None:
        try:
            client.request_secret("NEW", "to try")
        except LocumError as error:
            problems.append(error.code)

    asking = threading.Thread(target=ask)
    asking.start()
    while (message := channel.next_message(20)) is not None and message.get("event") != "value":
        pass
    assert message is not None
    client.hang_up()
    asking.join(20)
    while (after := channel.next_message(20)) is not None and after.get("event") != "approve.cancel":
        pass
    assert after is not None
    assert after["id"] == message["question"]["id"]
    assert problems == ["unavailable.broker"]
