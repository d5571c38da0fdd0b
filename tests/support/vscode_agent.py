"""An extension that stands for an AI agent of VS Code: it starts the editor's MCP servers and calls their tools. No model.

It reads `calls.json` of the workspace, a list of `{"tool", "input"}`, and appends what it got to `answers.jsonl`.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

COMMAND = "Agent: Call Tools"
_PACKAGE = {
    "name": "agent-test", "publisher": "test", "version": "1.0.0", "engines": {"vscode": "^1.100.0"},
    "main": "./main.js", "activationEvents": ["onStartupFinished"],
    "contributes": {"commands": [{"command": "agentTest.call", "category": "Agent", "title": "Call Tools"}]},
}  # fmt: skip
_MAIN = """
const vscode = require("vscode"), fs = require("fs"), path = require("path");
const later = () => new Promise((done) => setTimeout(done, 200));
async function call() {
  const folder = vscode.workspace.workspaceFolders[0].uri.fsPath;
  const say = (line) => fs.appendFileSync(path.join(folder, "answers.jsonl"), JSON.stringify(line) + "\\n");
  try {
    await vscode.commands.executeCommand("workbench.mcp.startServer", "*");
    let names = [];
    for (let round = 0; round < 150 && names.length < 11; round++) {
      names = vscode.lm.tools.map((tool) => tool.name).filter((name) => name.startsWith("mcp_"));
      await later();
    }
    say({ names });
    for (const { tool, input } of JSON.parse(fs.readFileSync(path.join(folder, "calls.json"), "utf8"))) {
      const name = names.find((full) => full.endsWith(tool));
      const result = await vscode.lm.invokeTool(name, { input, toolInvocationToken: undefined });
      say({ tool, said: result.content.map((part) => part.value ?? "").join("") });
    }
  } catch (error) {
    say({ error: String(error) });
  }
}
exports.activate = (context) => context.subscriptions.push(vscode.commands.registerCommand("agentTest.call", call));
"""
_MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
<Metadata><Identity Language="en-US" Id="agent-test" Version="1.0.0" Publisher="test"/><DisplayName>Agent</DisplayName>
<Description>Agent</Description><Properties/></Metadata>
<Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation><Dependencies/>
<Assets><Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/></Assets>
</PackageManifest>
"""
_TYPES = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="json"
ContentType="application/json"/><Default Extension="js" ContentType="application/javascript"/><Default
Extension="vsixmanifest" ContentType="text/xml"/></Types>
"""


def agent_package(folder: Path) -> Path:
    """Write the extension as a .vsix and return it."""
    package = folder / "agent.vsix"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("extension.vsixmanifest", _MANIFEST)
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("extension/package.json", json.dumps(_PACKAGE))
        archive.writestr("extension/main.js", _MAIN)
    return package


def answers(project: Path) -> list[dict[str, object]]:
    """Return what the agent has got so far."""
    said = project / "answers.jsonl"
    return [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []
