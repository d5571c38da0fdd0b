"""How values look, and what a name and a value are worth together."""

from __future__ import annotations

import random
import string

import pytest
from detect_cases import characters
from hypothesis import given
from hypothesis import strategies as st

from locum.detect.generic import judge
from locum.detect.values import is_code, is_plain, looks_made, names_itself, randomness

WORDS = [
    "getSomethingLongName",
    "invalid_token_type",
    "kubernetes.io/service-account",
    "FlowPasswordRequiredResultV2",
    "sha256-to-refresh",
    "X-Auth-Token",
    "ecdsa-sha2-nistp256",
    "parsedUrl.password",
    "Jobs[-1].JobId",
    "aws_lambda_function_policy",
]


@pytest.mark.parametrize("value", ["my-secret", "getToken", "SecretBytes", "SECRET_NAME", "1.2.3", "^4.0.0", "2027-01-01", "a sentence of words",
                                   "./path/to/key1", "/run/secrets/db1", "~/key1", "get_token(1)", "service.key", "12345", "kebab-case.words"])  # fmt: skip
def test_plain_values(value: str) -> None:
    assert is_plain(value.encode())


@pytest.mark.parametrize("alphabet", ["alnum", "b64u", "hex", "lower"])
def test_what_a_machine_makes_looks_made(alphabet: str) -> None:
    """Chance may make words: one of a hundred is let go."""
    values = [characters(random.Random(seed), alphabet, 32).encode() for seed in range(1000)]
    missed = [v for v in values if not looks_made(v) or is_code(v) or is_plain(v) or names_itself(v)]
    assert len(missed) <= 10


@pytest.mark.parametrize("value", WORDS)
def test_what_people_name_does_not(value: str) -> None:
    assert is_code(value.encode())
    assert not looks_made(value.encode())


@given(st.binary(max_size=200))
def test_randomness_is_bounded(value: bytes) -> None:
    assert -1.0 <= randomness(value) <= 2.0


@pytest.mark.parametrize("value", ["password", "Password1", "my-secret", "test123", "yourpassword", "SECRET_KEY", "root", "admin1", "changeit", "foo", "string", "api-key"])  # fmt: skip
def test_words_for_what_should_stand_there(value: str) -> None:
    assert names_itself(value.encode())
    assert judge(b"password", value.encode(), quoted=True, alone=True, code=True) is None


def person(source: random.Random) -> bytes:
    """Return what a person would type when asked for a good password."""
    return (characters(source, "alpha", 6) + source.choice("!%&+*") + characters(source, "digits", 3)).encode()


@pytest.mark.parametrize(("quoted", "alone", "code"), [(True, True, True), (False, True, False), (True, False, False)])
def test_a_password_where_one_is_promised(quoted: bool, alone: bool, code: bool) -> None:
    values = [person(random.Random(seed)) for seed in range(500)]
    judged = [judge(b"db_password", value, quoted=quoted, alone=alone, code=code) for value in values]
    assert sum(one is not None and one[0] == "medium" for one in judged) >= 490
    assert all(judge(b"db_password", value, quoted=False, alone=True, code=True) is None for value in values), (
        "an expression"
    )


def test_a_key_where_one_is_promised() -> None:
    """Chance may make words: one of a hundred is let go."""
    values = [characters(random.Random(seed), "alnum", 32).encode() for seed in range(500)]
    sure = [judge(b"API_KEY", value, quoted=True, alone=True, code=True) for value in values]
    doubtful = [judge(b"cacheEntry.key", value, quoted=True, alone=True, code=True) for value in values]
    assert sum(judged is not None and judged[0] == "medium" for judged in sure) >= 495
    assert sum(judged is not None and judged[0] == "low" for judged in doubtful) >= 495, "perhaps a key into a table"


@given(
    st.lists(
        st.sampled_from(["get", "User", "token", "Secret", "value", "from", "Service", "account"]),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from("_-. "),
)
def test_words_are_no_key(parts: list[str], between: str) -> None:
    for value in (between.join(parts), "".join(parts)):
        assert judge(b"api_key", value.encode(), quoted=True, alone=True, code=True) is None


@given(st.text(string.printable, max_size=60), st.booleans(), st.booleans(), st.booleans())
def test_judging_never_fails(value: str, quoted: bool, alone: bool, code: bool) -> None:
    for name in (b"", b"password", b"key", b"x" * 100):
        judge(name, value.encode(), quoted=quoted, alone=alone, code=code)
