"""The filters on single values."""

from __future__ import annotations

import base64
import math
import random
from collections import Counter

import pytest
from detect_cases import characters, github_body, jwt
from hypothesis import given
from hypothesis import strategies as st

from locum.detect.checks import entropy, github_checksum, is_placeholder, jwt_structure
from locum.detect.names import assigned_name, holds_a_value, is_name, url_name, variable

PLACEHOLDERS = [
    "changeme", "CHANGE_ME", "your-token-here", "<your key>", "<token>", "${TOKEN}", "$TOKEN", "%TOKEN%", "{{ token }}", "xxxxxxxx",
    "XXXX-XXXX", "process.env.TOKEN", "os.environ['TOKEN']", "locum://TOKEN", "op://vault/item/field", "ref+vault://a#b",
    "keyring://service/user", "pass://a/b", "ENC[AES256_GCM,data:abc]", "encrypted:abc", "********", "•••", "none", "null", "true", "todo",
    "my-example-key", "dummy-value", "0000000000000000", "aaaaaaaa", "test-key", "$(cat file)", "{password}", "{self.password}",
    "https://auth.example.org", "replace-me", "redacted", "%(password)s", "AKIA" + "IOSFODNN7EXAMPLE",
]  # fmt: skip


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_placeholders(value: str) -> None:
    assert is_placeholder(value.encode())
    assert is_placeholder(value.upper().encode()) or not value.isalpha()


@given(st.integers())
def test_random_values_are_no_placeholders(seed: int) -> None:
    value = characters(random.Random(seed), "alnum", 24).encode()
    assert not is_placeholder(value)


@given(st.binary(max_size=300))
def test_entropy_is_shannons(value: bytes) -> None:
    wanted = -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
    assert math.isclose(entropy(value), wanted, abs_tol=1e-9)


@given(st.integers(), st.integers(0, 35))
def test_github_checksum(seed: int, place: int) -> None:
    body = github_body(random.Random(seed))
    value = "ghp" + "_" + body
    assert github_checksum(value.encode()) is True
    other = "A" if body[place] != "A" else "B"
    assert github_checksum(("ghp" + "_" + body[:place] + other + body[place + 1 :]).encode()) is False
    assert github_checksum(value[:-1].encode()) is None


def test_jwt_structure() -> None:
    good = jwt(random.Random(3)).encode()
    assert jwt_structure(good) is True
    for head in (b"{}", b"[1]", b"not json", b"[" * 5000, b"\xff\xfe"):
        encoded = base64.urlsafe_b64encode(head).rstrip(b"=")
        assert jwt_structure(encoded + b"." + good.partition(b".")[2]) is False


@pytest.mark.parametrize(("line", "name"), [
    ('password = "@', "password"), ("password: @", "password"), ('"password": "@', "password"), ("'api-key' => '@", "api-key"),
    ('settings["token"] = "@', "token"), ("TOKEN=@", "TOKEN"), ("export TOKEN=@", "TOKEN"), ("token: str = '@", "token"),
    ("self.token = b'@", "self.token"), ("x := `@", "x"), ("connect(user=1, token='@", "token"), ('return "@', ""), ("@", ""),
    ("a == @", "a"), ('set("TOKEN", "@', "TOKEN"), ('setToken("@', "setToken"), ("token - '@", "token"), ("a || @", ""), ("name = ''\n@", ""),
])  # fmt: skip
def test_assigned_name(line: str, name: str) -> None:
    data, start = line.replace("@", "").encode() + b"value", line.index("@")
    found, place = assigned_name(data, start)
    assert found.decode() == name
    assert data[place : place + len(name)].decode() == name


def test_names_of_urls() -> None:
    data = b'DATABASE_URL = "postgres://shop:'
    assert url_name(data, len(data), "a.py")[0] == b"DATABASE_PASSWORD"
    assert url_name(data, len(data), "config/.env")[0] == b"DATABASE_URL"
    assert url_name(b"see http://a:", 13, "a.py")[0] == b""


@pytest.mark.parametrize(("name", "wanted"), [("stripeKey", "STRIPE_KEY"), ("self.db_password", "DB_PASSWORD"), ("api-key", "API_KEY"),
                                              ("x", "OWN"), ("", "OWN"), ("9lives", "OWN"), ("HTTPToken", "HTTPTOKEN"), ("a" * 300, "A" * 64)])  # fmt: skip
def test_variables(name: str, wanted: str) -> None:
    assert variable(name.encode(), "OWN", generic=True) == wanted


@given(st.binary(max_size=90))
def test_a_variable_is_always_valid(name: bytes) -> None:
    assert variable(name, "OWN", generic=False).isidentifier()


@pytest.mark.parametrize(
    "name",
    [
        "password_file",
        "tokenUrl",
        "SECRET_ID",
        "secret-name",
        "passwordLength",
        "tokenURL",
        "publicKeyToken",
        "next_token",
    ],
)
def test_names_of_other_things(name: str) -> None:
    assert not holds_a_value(name.encode())


@pytest.mark.parametrize("name", ["password", "dbPassword", "API_TOKEN", "secret", "stripe-secret-key", "token2"])
def test_names_of_secrets(name: str) -> None:
    assert holds_a_value(name.encode())
    assert is_name(name.encode())
