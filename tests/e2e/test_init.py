"""`locum init EDITOR`: what it writes, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.home import ROOT, Home

SHIPPED = ROOT / "server/locum/editors/neovim"
FILES = sorted(path.relative_to(SHIPPED) for path in SHIPPED.rglob("*.lua"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config"


def init(home: Home, config: Path, *options: str, check: int = 0) -> str:
    done = home.run("init", "neovim", *options, XDG_CONFIG_HOME=str(config), check=check)
    return done.stdout + done.stderr


def test_it_installs_every_file_that_the_package_ships_and_says_what_to_add(home: Home, config: Path) -> None:
    assert FILES
    assert 'vim.lsp.enable("locum")' in init(home, config)
    for name in FILES:
        assert (config / "nvim" / name).read_bytes() == (SHIPPED / name).read_bytes()


def test_a_second_time_changes_nothing(home: Home, config: Path) -> None:
    init(home, config)
    before = {name: (config / "nvim" / name).stat().st_mtime_ns for name in FILES}
    init(home, config)
    assert before == {name: (config / "nvim" / name).stat().st_mtime_ns for name in FILES}


@pytest.mark.parametrize("mine", [b"-- mine\n", b"\xff\xfe not text"])
def test_a_file_of_somebody_else_is_left_alone_and_so_is_the_rest(home: Home, config: Path, mine: bytes) -> None:
    theirs = config / "nvim/lsp/locum.lua"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(mine)
    assert str(theirs) in init(home, config, check=2)
    assert [path for path in config.rglob("*") if path.is_file()] == [theirs]
    assert theirs.read_bytes() == mine
    init(home, config, "--force")
    assert theirs.read_bytes() == (SHIPPED / "lsp/locum.lua").read_bytes()


def test_print_writes_nothing(home: Home, config: Path) -> None:
    said = init(home, config, "--print")
    for name in FILES:
        assert (SHIPPED / name).read_text() in said
    assert not config.exists()
