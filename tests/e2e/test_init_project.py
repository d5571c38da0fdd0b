"""`locum init`: a manifest from what the project says that it needs."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from locum.refs.proposal import Need, needs_of, speaks_of_secret
from support.home import Home

EXAMPLE = """\
# The port
PORT=3000
DEBUG=true

# Stripe test key, see https://dashboard.stripe.com/apikeys.
STRIPE_API_KEY=

STRIPE_PUBLISHABLE_KEY=
export DATABASE_URL=postgres://localhost/x   # the database
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / ".devcontainer").mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (folder / ".env.example").write_text(EXAMPLE)
    (folder / ".devcontainer/devcontainer.json").write_text(
        '{"image": "x", // ours\n "secrets": {"NPM_TOKEN": {"description": "Registry", "documentationUrl": "https://x.test/t"},},}'
    )
    (folder / "compose.yaml").write_text(
        "services:\n  a:\n    environment:\n      X: ${MAIL_PASSWORD:?}\n      Y: $${NO_TOKEN}\n"
    )
    return folder


def test_it_declares_what_is_named_and_keeps_what_is_there(home: Home, project: Path) -> None:
    (project / "locum.toml").write_text('# ours\n[secrets.DATABASE_URL]\nsource = "op://v/i/f"\n')
    said = home.run("init", cwd=project).stdout
    text = (project / "locum.toml").read_text()
    secrets = tomllib.loads(text)["secrets"]
    assert text.startswith("# ours\n")
    assert set(secrets) == {"DATABASE_URL", "STRIPE_API_KEY", "NPM_TOKEN", "MAIL_PASSWORD"}
    assert secrets["DATABASE_URL"] == {"source": "op://v/i/f"}
    assert secrets["STRIPE_API_KEY"]["docs"] == "https://dashboard.stripe.com/apikeys"
    assert secrets["NPM_TOKEN"] == {"description": "Registry", "source": "local", "docs": "https://x.test/t"}
    assert "MAIL_PASSWORD  from compose.yaml" in said
    assert "locum secret set" in said
    assert "Nothing new" in home.run("init", cwd=project).stdout
    assert (project / "locum.toml").read_text() == text


def test_print_writes_nothing_and_says_from_where(home: Home, project: Path) -> None:
    shown = home.run("init", "--print", cwd=project)
    assert set(tomllib.loads(shown.stdout)["secrets"]) == {
        "DATABASE_URL",
        "STRIPE_API_KEY",
        "NPM_TOKEN",
        "MAIL_PASSWORD",
    }
    assert "STRIPE_API_KEY  from .env.example" in shown.stderr
    assert not (project / "locum.toml").exists()
    home.run("init", cwd=project)
    assert "Nothing new" in home.run("init", "--print", cwd=project).stdout


def test_compose_files_hand_on_variables() -> None:
    text = (
        "services:\n  a:\n    environment:\n      - DB_PASSWORD  # ours\n      - API_TOKEN=\n      - PORT\n      - 'A_SECRET'\n"
        "  b:\n    environment:\n      MAIL_KEY:\n      B_SECRET: x\nsecrets:\n  db:\n    environment: PGPASS_OF_DB\n"
    )
    assert [need.name for need in needs_of("compose.yaml", text)] == [
        "DB_PASSWORD",
        "A_SECRET",
        "MAIL_KEY",
        "PGPASS_OF_DB",
    ]


def test_a_dev_container_in_a_folder_of_its_own(home: Home, project: Path) -> None:
    (project / ".devcontainer/gpu").mkdir()
    (project / ".devcontainer/gpu/devcontainer.json").write_text('{"secrets": {"HF_TOKEN": {}}}')
    assert "HF_TOKEN  from .devcontainer/gpu/devcontainer.json" in home.run("init", cwd=project).stdout


def test_a_schema_says_itself_what_is_sensitive() -> None:
    text = "# Where we are\n# @docs(https://x.test/a)\n# @sensitive @required\nACME=\n# @sensitive=false\nOTHER=\n"
    assert needs_of(".env.schema", text) == [Need("ACME", "Where we are", "https://x.test/a")]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"secrets": 1}', "[" * 100_000])
def test_broken_files_say_nothing(text: str) -> None:
    assert needs_of(".devcontainer/devcontainer.json", text) == []


@pytest.mark.parametrize(
    "name",
    ["API_KEY", "STRIPE_KEY", "GITHUB_TOKEN", "DB_PASSWORD", "SENTRY_DSN", "AWS_SECRET_ACCESS_KEY", "JWT_SECRET"],
)
def test_names_of_secrets(name: str) -> None:
    assert speaks_of_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "PORT",
        "PUBLIC_API_KEY",
        "MAX_TOKENS",
        "TOKEN_TTL",
        "PASSWORD_FILE",
        "KEYBOARD",
        "NODE_ENV",
        "CACHE_KEY",
        "AWS_ACCESS_KEY_ID",
    ],
)
def test_names_of_other_things(name: str) -> None:
    assert not speaks_of_secret(name)
