"""Finding the name of a value that the vault has already."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locum.secret import SecretBytes
from locum.vaults.interface import VaultLocked
from locum.vaults.local.same_value import SHORTEST, SameValue
from locum.vaults.local.store import LocalVault
from support.home import canary
from unit.vaults.values import reopened, secret, text


def test_the_first_name_of_the_same_value(vault: LocalVault) -> None:
    value = canary()
    vault.put("B", secret(value), must_be_new=True)
    vault.put("AB", secret(value), must_be_new=True)
    assert vault.name_of(secret(value)) == "AB"
    assert vault.name_of(secret(value + "!")) == vault.name_of(secret(value[:-1])) == ""


def test_short_values_are_never_matched(vault: LocalVault) -> None:
    vault.put("SHORT", secret("x" * (SHORTEST - 1)), must_be_new=True)
    vault.put("LONGER", secret("x" * SHORTEST), must_be_new=True)
    assert vault.name_of(secret("x" * (SHORTEST - 1))) == vault.name_of(secret("")) == ""
    assert vault.name_of(secret("x" * SHORTEST)) == "LONGER"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
@given(steps=st.lists(st.tuples(st.sampled_from("BCD"), st.sampled_from(["", "value one", "value two"])), max_size=8))
def test_it_follows_every_change_here_and_elsewhere(
    vault: LocalVault, folder: Path, steps: list[tuple[str, str]]
) -> None:
    """Also a name that is deleted and stored anew within one second, by another process."""
    other = reopened(folder)
    for at, (name, value) in enumerate(steps):
        used = (vault, other)[at % 2]
        if value:
            used.put(name, secret(value), must_be_new=False)
        elif used.has(name):
            used.remove(name)
        for wanted in ("value one", "value two"):
            names = [info.name for info in vault.list() if text(vault.get(info.name)) == wanted]
            assert vault.name_of(secret(wanted)) == (names[0] if names else "")


def test_a_locked_vault_matches_nothing_and_keeps_nothing(vault: LocalVault) -> None:
    value = canary()
    vault.put("B", secret(value), must_be_new=True)
    assert vault.name_of(secret(value)) == "B"
    vault.lock()
    with pytest.raises(VaultLocked):
        vault.name_of(secret(value))
    gc.collect()
    assert not [item for item in gc.get_objects() if isinstance(item, SameValue)]


def test_no_digest_is_the_same_under_another_key_and_opened_values_are_wiped() -> None:
    opened: list[SecretBytes] = []

    def open_value(_: str) -> SecretBytes:
        opened.append(secret("a value of some length"))
        return opened[-1]

    one, other = (SameValue(secret(key)) for key in ("key one", "key two"))
    stored = [("A", ("id", 1))]
    wanted = secret("a value of some length")
    assert one.find(wanted, stored, open_value) == other.find(wanted, stored, open_value) == "A"
    assert one._digests != other._digests
    assert one.find(wanted, stored, open_value) == "A"
    assert len(opened) == 2
    assert all(value.is_empty() for value in opened)
    one.wipe()
    assert one._digests == {}


def test_a_copy_is_a_second_name(vault: LocalVault) -> None:
    vault.copy("A", "Z")
    assert text(vault.get("Z")) == text(vault.get("A")) == "first"
    vault.remove("A")
    assert text(vault.get("Z")) == "first"
