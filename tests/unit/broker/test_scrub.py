"""What is taken out of a command line, and what stays."""

from __future__ import annotations

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.broker.scrub import scrub, scrub_argv
from support.home import canary
from support.tokens import github_token

KEPT = [
    "npm test", "python3 -m locum run --secret API_KEY -- npm run build", "git commit -m 'fix the thing'", "gh auth login",
    "/usr/lib/python3/dist-packages/node_modules/.bin/thing2 tests/e2e/test_audit_rotation.py",
    "locum://STRIPE_RESTRICTED_API_KEY_2", "op://vault/item/field", "src/Components/ButtonWidget2.tsx",
    "/tmp/pytest-of-root/pytest-0/home/x.py", "--reason 'to see it work'",
]  # fmt: skip


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize(
    "before", ["", "--x=", "'", "Authorization: Bearer ", "https://h/p?k=", "TOKEN=", "/a/b/", "x:", '{"a":"']
)
@pytest.mark.parametrize(
    "make",
    [
        canary,
        github_token,
        lambda: secrets.token_hex(16),
        lambda: base64.urlsafe_b64encode(secrets.token_bytes(30)).decode(),
    ],
)
def test_tokens_go_wherever_they_stand(before: str, make) -> None:
    token = make()
    shown = scrub(f"run {before}{token} now")
    assert token[:10] not in shown
    assert token[-10:] not in shown


@pytest.mark.parametrize(
    "argv",
    [["x", "--password", "hunter2"], ["x", "--client-secret=hunter2"], ["x", "postgres://me:hunter2@h/db"], ["env", "DB_PASSWORD=hunter2"],
     ["curl", "-H", "Authorization: Basic hunter2"], ["x", "--api-key", "hunter2"], ["x", "{'token': 'hunter2'}"]],
)  # fmt: skip
def test_short_ones_go_where_something_says_what_they_are(argv: list[str]) -> None:
    assert "hunter2" not in scrub_argv(argv)


@given(st.text(max_size=300))
def test_twice_is_once(text: str) -> None:
    once = scrub(text)
    assert scrub(once) == once
