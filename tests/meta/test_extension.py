"""What must stay true of the VS Code extension, read from its sources."""

from __future__ import annotations

import json
import re

import pytest

from locum import __version__
from support.home import ROOT

CLIENT = ROOT / "client-vscode"
PACKAGE = json.loads((CLIENT / "package.json").read_text())
SOURCES = sorted((CLIENT / "src").glob("*.ts"))


def test_it_has_the_version_of_the_program() -> None:
    assert PACKAGE["version"] == __version__


def test_one_module_alone_reaches_the_editors_api() -> None:
    importers = {path.name for path in SOURCES if re.search(r"from \"vscode\"", path.read_text())}
    assert importers == {"vscodeapi.ts"}


@pytest.mark.parametrize("name", ["visible.ts", "frames.ts", "approvals.ts", "settings.ts", "status.ts"])
def test_what_decides_is_free_of_the_editor(name: str) -> None:
    imported = set(re.findall(r'from "(.*?)"', (CLIENT / "src" / name).read_text()))
    assert all(module.startswith("node:") or module == "./visible" for module in imported)


def test_a_workspace_cannot_name_the_program() -> None:
    setting = PACKAGE["contributes"]["configuration"]["properties"]["locum.path"]
    assert setting["scope"] == "machine"
    assert "locum.path" in PACKAGE["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]


def test_it_needs_no_proposed_api() -> None:
    assert "enabledApiProposals" not in PACKAGE


def test_every_command_of_the_palette_is_registered() -> None:
    registered = set(re.findall(r'onCommand\("(.*?)"', (CLIENT / "src/commands.ts").read_text()))
    assert {command["command"] for command in PACKAGE["contributes"]["commands"]} == registered


def test_the_lock_file_pins_by_content_and_names_no_host() -> None:
    lock = (CLIENT / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    packages = {name: entry for name, entry in json.loads(lock)["packages"].items() if name}
    assert packages
    assert all(entry.get("integrity", "").startswith("sha512-") for entry in packages.values())
