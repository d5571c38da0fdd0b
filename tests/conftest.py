"""Fixtures for all tests. No test touches the real home: `LOCUM_HOME` is always a temporary directory."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # `support`

from support.home import Home

# A shell without job control starts what runs in the background with these ignored, and children inherit that: under such
# a shell Ctrl-C would do nothing in any test's terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

# How long one example takes depends on what else the machine does; what hangs is ended by pytest's own limit.
settings.register_profile("locum", deadline=None)
settings.load_profile("locum")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Give a home without a vault."""
    place = Home(tmp_path)
    yield place
    place.close()


@pytest.fixture
def vault_home(home: Home) -> Home:
    """Give a home with a vault that opens by a key file."""
    home.init()
    return home


@pytest.fixture(autouse=True)
def no_real_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep code under test away from the user's own vault."""
    monkeypatch.setenv("LOCUM_HOME", str(tmp_path / "locum-home"))
