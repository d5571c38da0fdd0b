"""Decisions: the order, what an administrator can do, what looks like production."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.broker.policy import Deny, Policies, Rules, Standing, is_production
from locum.broker.wire import Grant, LeaseRequest

REQUEST = LeaseRequest(("npm", "test"), "/w", (Grant("API_KEY", "locum://API_KEY"),), "/w", "test")
YES = Standing("pol_1", "h" * 64, 100, 1000, "editor", "test", "npm test", "/w", "/w", ("locum://API_KEY",))
RANK = {"deny": 0, "ask": 1, "allow": 2}


def decide(policies: Policies, request: LeaseRequest = REQUEST, **more: object) -> str:
    known: dict[str, object] = {"now": 500, "agent": False, "level": "L0", "whole": True}
    return policies.decide(request, "h" * 64, **(known | more)).kind  # pyright: ignore[reportArgumentType] - of many types


def test_nothing_said_asks() -> None:
    assert decide(Policies()) == "ask"


def test_a_standing_yes_holds_for_its_content_and_time() -> None:
    policies = Policies(standing=[YES])
    assert decide(policies) == "allow"
    assert decide(policies, now=99) == "ask"  # a clock that was set back
    assert decide(policies, now=1000) == "ask"
    assert decide(policies, whole=False) == "ask"
    assert decide(Policies(standing=[replace(YES, content="x" * 64)])) == "ask"


@pytest.mark.parametrize(
    ("rule", "denied"),
    [
        (Deny(reference="*"), True), (Deny(reference="API_*"), True), (Deny(reference="OTHER*"), False),
        (Deny(command="npm *"), True), (Deny(command="npm"), True), (Deny(command="pytest*"), False),
        (Deny(env="API_KEY"), True), (Deny(channel="env"), True), (Deny(channel="file"), False),
        (Deny(workspace="/w"), True), (Deny(workspace="/other"), False),
        (Deny(asker="agent"), False), (Deny(reference="API_*", command="pytest"), False), (Deny(), False),
    ],
)  # fmt: skip
def test_what_a_rule_forbids(rule: Deny, denied: bool) -> None:
    assert (decide(Policies(user=Rules(deny=(rule,)), standing=[YES])) == "deny") is denied


def test_a_rule_for_agents() -> None:
    policies = Policies(user=Rules(deny=(Deny(asker="agent"),)))
    assert decide(policies, agent=True) == "deny"
    assert decide(policies, agent=False) == "ask"


rules = st.builds(
    Rules,
    deny=st.lists(
        st.builds(
            Deny, reference=st.sampled_from(["", "*", "API_*", "X"]), command=st.sampled_from(["", "npm*", "y"]),
            asker=st.sampled_from(["", "agent"]),
        ), max_size=2,
    ).map(tuple),
    always_ask=st.lists(st.sampled_from(["*", "API_*", "X"]), max_size=2).map(tuple),
    production=st.lists(st.sampled_from(["*", "API_*", "X"]), max_size=1).map(tuple),
    max_ttl=st.sampled_from([0, 60, 900, 3600]), max_standing=st.sampled_from([0, 60, 86400]),
    channels=st.sampled_from([(), ("env",), ("file",)]), level=st.sampled_from(["L0", "L1"]),
)  # fmt: skip


@given(admin=rules, user=rules, agent=st.booleans(), level=st.sampled_from(["L0", "L1"]), now=st.integers(0, 2000))
def test_an_administrators_rule_only_tightens(admin: Rules, user: Rules, agent: bool, level: str, now: int) -> None:
    without = Policies(user=user, standing=[YES])
    with_admin = Policies(admin, user, [YES])
    about = {"agent": agent, "level": level, "now": now}
    assert RANK[decide(with_admin, **about)] <= RANK[decide(without, **about)]


@given(
    change=st.sampled_from([{"argv": ("npm", "run", "x")}, {"reason": "please"}, {"ttl": 3600}]),
    now=st.integers(0, 2000),
)
def test_a_request_never_gets_more_than_a_question_without_a_standing_yes(change: dict[str, object], now: int) -> None:
    request = replace(REQUEST, **change)  # pyright: ignore[reportArgumentType] - fields of many types
    assert decide(Policies(), request, now=now) == "ask"


@pytest.mark.parametrize(
    ("reference", "source", "production"),
    [
        ("locum://API_KEY", "local", False), ("locum://API_KEY?env=prod", "local", True),
        ("locum://API_KEY?env=staging", "local", False), ("locum://PROD_KEY", "local", True),
        ("locum://STRIPE_LIVE_KEY", "local", True), ("locum://PRODUCT_KEY", "local", False),
        ("locum://DELIVERY", "local", False), ("locum://API_KEY", "op://Production/x/y", True),
        ("op://Production/x/y", "op://Production/x/y", True), ("locum://KEY.prod", "local", True),
        ("no reference", "local", True),
    ],
)  # fmt: skip
def test_what_is_production(reference: str, source: str, production: bool) -> None:
    assert is_production(reference, source) is production


def test_a_name_that_the_user_calls_production() -> None:
    assert is_production("locum://API_KEY", "local", ("API_*",))
    assert decide(Policies(user=Rules(production=("API_*",)), standing=[YES])) == "ask"


def test_a_workspace_may_ask_for_more_care() -> None:
    assert decide(Policies(standing=[YES]), replace(REQUEST, production=True)) == "ask"


def test_a_forbidden_program_is_forbidden_by_its_full_path_too() -> None:
    policies = Policies(user=Rules(deny=(Deny(command="npm *"),)))
    assert decide(policies, replace(REQUEST, argv=("/usr/bin/npm", *REQUEST.argv[1:]))) == "deny"
