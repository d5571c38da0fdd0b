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

SHORT = "hunter" + "2"

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
    [["x", "--password", SHORT], ["x", f"--client-secret={SHORT}"], ["x", f"postgres://me:{SHORT}@h/db"], ["env", f"DB_PASSWORD={SHORT}"],
     ["curl", "-H", f"Authorization: Basic {SHORT}"], ["x", "--api-key", SHORT], ["x", f"{{'token': '{SHORT}'}}"]],
)  # fmt: skip
def test_short_ones_go_where_something_says_what_they_are(argv: list[str]) -> None:
    assert SHORT not in scrub_argv(argv)


@given(st.text(max_size=300))
def test_twice_is_once(text: str) -> None:
    once = scrub(text)
    assert scrub(once) == once
