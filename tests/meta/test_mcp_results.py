"""The published schema of what the MCP tools give is the one that the code gives."""

from __future__ import annotations

import json
import subprocess
import sys

import jsonschema
import pytest

from locum.agents.mcp.tools import results_schema
from support.home import ROOT

PUBLISHED = ROOT / "schemas" / "mcp-results.schema.json"


def test_published() -> None:
    assert json.loads(PUBLISHED.read_text()) == results_schema(), (
        "run: python -m locum.agents.mcp.tools > schemas/mcp-results.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(results_schema())


@pytest.mark.parametrize(
    "module", ["locum.cli.main", "locum.cli.run", "locum.cli.scan", "locum.cli.mcp", "locum.lsp.main", "locum.cli.fix"]
)
def test_only_the_command_itself_loads_the_sdk(module: str) -> None:
    code = f"import sys, {module}; print([name for name in sys.modules if name in ('mcp', 'mcp_types', 'pydantic', 'anyio')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
