"""What a task's environment holds, and under which names no secret is passed."""

from __future__ import annotations

import pytest

from locum.errors import LocumError, UsageProblem
from locum.run.environment import child_environment
from locum.secret import SecretBytes

PARENT = {b"PATH": b"/bin", b"HOME": b"/h", b"LOCUM_HOME": b"/l", b"LOCUM_PASSPHRASE_FD": b"3", b"raw": b"\xff\xfe"}
STEERING = [
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "DYLD_INSERT_LIBRARIES",
    "PATH",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "NODE_OPTIONS",
    "BASH_ENV",
    "ENV",
    "IFS",
    "PERL5LIB",
    "PERL5OPT",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "GIT_SSH_COMMAND",
    "GIT_CONFIG_GLOBAL",
    "SSH_AUTH_SOCK",
    "HTTP_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "CODEX_HOME",
    "CLAUDE_CONFIG_DIR",
    "DOCKER_HOST",
    "KUBECONFIG",
    "OPENAI_BASE_URL",
    "AWS_ENDPOINT_URL_S3",
    "VAULT_ADDR",
    "ANTHROPIC_API_URL",
    "AWS_CONFIG_FILE",
    "LOCUM_HOME",
    "PROMPT_COMMAND",
    "HOME",
    "SHELL",
    "BASH_FUNC_x",
    "ssl_cert_file",
    "NODE_TLS_REJECT_UNAUTHORIZED",
]
ORDINARY = [
    "GITHUB_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "DATABASE_URL",
    "STRIPE_API_KEY",
    "PGPASSWORD",
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "NPM_TOKEN",
    "SSH_KEY",
    "PATHOLOGY_KEY",
    "ENVIRONMENT",
    "MY_PATH_KEY",
    "GIT_TOKEN",
    "VAULT_TOKEN",
    "DOCKER_PASSWORD",
    "GEM_HOST_API_KEY",
    "TERMINAL_KEY",
    "USER_PASSWORD",
    "HOMEBREW_GITHUB_API_TOKEN",
    "_X",
    "x1",
]


def test_the_callers_environment_without_locums_own_and_with_the_lease() -> None:
    environment = child_environment(PARENT, {"TOKEN": SecretBytes(b"v\xff"), "raw": SecretBytes(b"new")})
    assert environment == {b"PATH": b"/bin", b"HOME": b"/h", b"raw": b"new", b"TOKEN": b"v\xff"}


@pytest.mark.parametrize("name", STEERING)
def test_names_that_steer_programs_are_refused(name: str) -> None:
    with pytest.raises(UsageProblem, match=name) as caught:
        child_environment({}, {name: SecretBytes(b"x")})
    assert caught.value.code == "env.control"


@pytest.mark.parametrize("name", ORDINARY)
def test_names_of_secrets_are_passed(name: str) -> None:
    assert child_environment({}, {name: SecretBytes(b"x")}) == {name.encode(): b"x"}


@pytest.mark.parametrize("name", ["", "1A", "A=B", "A B", "A\0B", "A-B", "Ä", "A\n"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        child_environment({}, {name: SecretBytes(b"x")})
    assert caught.value.code == "env.name"


def test_a_nul_is_refused_and_the_value_is_not_told() -> None:
    value = b"made" + b"up\0value"
    with pytest.raises(LocumError) as caught:
        child_environment({}, {"TOKEN": SecretBytes(value)})
    assert caught.value.code == "env.value"
    assert "TOKEN" in caught.value.explain()
    assert "made" not in caught.value.explain()
