"""The reference grammar: what it takes, what it refuses, and that nothing else happens."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.refs.reference import MAX_LENGTH, ReferenceProblem, find, is_name, locum_reference, parse

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}", fullmatch=True).filter(lambda name: ".." not in name)

GOOD = [
    ("locum://STRIPE_API_KEY", "locum", "STRIPE_API_KEY", None, None),
    ("locum://db#password", "locum", "db", "password", None),
    ("locum://db?env=prod", "locum", "db", None, "prod"),
    ("locum://db?env=prod#password", "locum", "db", "password", "prod"),
    ("op://vault/item/field", "op", "vault/item/field", None, None),
    ("op://vault/item/section/field", "op", "vault/item/section/field", None, None),
    ("ref+vault://secret/app#/key", "ref+vault", "secret/app#/key", "key", None),
    ("ref+awssecrets://app/db?region=eu-west-1", "ref+awssecrets", "app/db?region=eu-west-1", None, None),
    ("keyring://service/user", "keyring", "service/user", None, None),
    ("pass://team/aws/key", "pass", "team/aws/key", None, None),
]
BAD = [
    "", "locum", "locum://", "locum://1st", "locum://a b", "locum://a/b", "locum://../x", "locum://a#b?env=c", "locum://a?x=y",
    "locum://a#", "op://vault", "op://vault/item", "op://a/../b", "op://a/b/c/d/e", "ref+vault://", "ref+VAULT://x",
    "keyring://one", "pass://", "http://example.com", "locum://a\x00", "locum://a\n", "locum://\u202ea", "locum://" + "a" * MAX_LENGTH,
]  # fmt: skip


@pytest.mark.parametrize(("text", "scheme", "name", "field", "environment"), GOOD)
def test_good(text: str, scheme: str, name: str, field: str | None, environment: str | None) -> None:
    reference = parse(text)
    assert (reference.scheme, reference.name, reference.field, reference.environment) == (
        scheme,
        name,
        field,
        environment,
    )
    assert reference.text == text


@pytest.mark.parametrize("text", BAD)
def test_bad(text: str) -> None:
    with pytest.raises(ReferenceProblem) as caught:
        parse(text)
    assert caught.value.message
    assert caught.value.exit_code == 2


@given(NAMES)
def test_names_go_round(name: str) -> None:
    assert is_name(name)
    assert parse(locum_reference(name)).name == name


@given(st.text(max_size=80))
def test_parse_gives_the_text_back_or_refuses(text: str) -> None:
    with contextlib.suppress(ReferenceProblem):
        assert parse(text).text == text


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=60), NAMES, st.sampled_from("\"'` )>,;\n"))
def test_find_gives_exact_places(before: str, name: str, after: str) -> None:
    prefix = before + " "
    name = name.rstrip(".-_") or "a"
    text = f"{prefix}locum://{name}{after} rest"
    found = [item for item in find(text) if item.start == len(prefix)]
    assert [text[item.start : item.end] for item in found] == [f"locum://{name}"]
    assert all(text[item.start : item.end] == item.text for item in find(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://h/?key=locum://A&b=2", ["locum://A"]),
        ("https://h/?key=locum://A&b=locum://B", ["locum://A", "locum://B"]),
        ("locum://A,locum://B", ["locum://A", "locum://B"]),
        ("Cookie: a=locum://A;b=locum://B;", ["locum://A", "locum://B"]),
        ("locum://A|locum://B", ["locum://A", "locum://B"]),
        ("locum://A?env=prod&x, locum://B#id;", ["locum://A?env=prod", "locum://B#id"]),
        ("ref+vault://p?x=1&y=2,3, keyring://s/u", ["ref+vault://p?x=1&y=2,3", "keyring://s/u"]),
        ("op://a/b/c&x op://a/b/c,", ["op://a/b/c"]),
        ("pass://a/b|locum://A", []),
    ],
)
def test_ours_end_before_what_separates_them_and_others_do_not(text: str, found: list[str]) -> None:
    assert [item.text for item in find(text)] == found
    assert all(item.reference is not None for item in find(text))


@given(NAMES, NAMES, st.sampled_from("&,;|"), st.text("ab=/&,;|", max_size=8))
def test_a_separator_ends_ours_whatever_follows(one: str, other: str, separator: str, after: str) -> None:
    one, other = one.rstrip(".-_") or "a", other.rstrip(".-_") or "a"
    first, second = find(f"locum://{one}{separator}locum://{other}{separator}{after}")
    assert (first.text, second.text) == (f"locum://{one}", f"locum://{other}")


def test_what_wants_to_be_ours_and_is_not_is_told() -> None:
    (found,) = find('key = "locum://9lives"')
    assert found.reference is None
    assert "name" in found.problem


def test_a_scheme_in_prose_is_no_reference() -> None:
    assert list(find("write locum:// and then the name; see op://… too")) == []
