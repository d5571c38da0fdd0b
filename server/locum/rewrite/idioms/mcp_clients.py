"""MCP clients: where each keeps its servers, and which variables it is known to put values in the place of.

Data and two questions about it. A client that is not here is served all the same (`mcpServers` is everybody's key);
what it expands is then unknown, and nothing is said about that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_DEFAULTED = r"\$\{[A-Za-z_]\w*(:-[^{}]*)?\}"
_BRACED = r"\$\{[A-Za-z_]\w*\}"
_ENV = r"\$\{env:[^{}]+\}"


@dataclass(frozen=True, slots=True)
class Client:
    """One client."""

    name: str
    path: str
    """A pattern for the whole path of its file, with `/`, lower case."""
    maps: tuple[tuple[str, ...], ...] = (("mcpServers",),)
    """Keys that lead from the top to a map of servers; `*` is any one key."""
    expands: str | None = None
    """A pattern for what it expands in a server's definition; "" nothing; None: not known."""
    shown: str = ""
    """What it expands, for people; or, where it is nothing, what it takes instead."""
    env: str = "env"
    lists_command: bool = False
    """Its `command` is a list that holds the arguments too."""


# The first row that fits counts.
CLIENTS = (
    Client(  # code.claude.com/docs/en/mcp, "Environment variable expansion"; measured with 2.1.197
        "Claude Code", r"(.*/)?\.(mcp|claude)\.json", (("mcpServers",), ("projects", "*", "mcpServers")),
        _DEFAULTED, "${NAME} and ${NAME:-default}",
    ),
    Client(  # modelcontextprotocol.io, "Connect to local MCP servers": plain texts; claude-code#40372
        "Claude Desktop", r"(.*/)?claude_desktop_config\.json", expands="",
    ),
    Client(  # cursor.com/docs/mcp, "Config interpolation": command, args, env, url, headers
        "Cursor", r"(.*/)?\.cursor/mcp\.json",
        expands=rf"{_ENV}|\$\{{(userHome|workspaceFolder|workspaceFolderBasename|pathSeparator|/)\}}", shown="${env:NAME}",
    ),
    Client(  # kiro.dev/docs/mcp/configuration: ${NAME}, for approved names; ${env:NAME} in headers: amazon-q-developer-cli#3646
        "Kiro", r"(.*/)?\.kiro/(settings/mcp|agents/[^/]+)\.json", expands=rf"{_BRACED}|{_ENV}|\$[A-Z_]\w*", shown="${NAME}",
    ),
    Client(  # geminicli.com/docs/tools/mcp-server: every string of the file; measured with 0.61.0
        "Gemini CLI", r"(.*/)?\.gemini/settings\.json", expands=rf"{_DEFAULTED}|\$\w+",
        shown="$NAME, ${NAME} and ${NAME:-default}",
    ),
    Client(  # opencode.ai/docs/config, "Variables"; measured with 1.18.33
        "opencode", r"(.*/)?(\.opencode/)?opencode\.jsonc?", (("mcp", "servers"), ("mcp",)),
        r"\{(env|file):[^{}]+\}", "{env:NAME}", env="environment", lists_command=True,
    ),
    Client(  # docs.windsurf.com/windsurf/cascade/mcp: command, args, env, serverUrl, url, headers
        "Windsurf", r"(.*/)?windsurf[^/]*/mcp_config\.json", expands=rf"{_ENV}|\$\{{file:[^{{}}]+\}}", shown="${env:NAME}",
    ),
    Client(  # cline#8079
        "Cline", r"(.*/)?cline_mcp_settings\.json", expands=_ENV, shown="${env:NAME}",
    ),
    Client(  # docs.roocode.com, "Using MCP in Roo Code"
        "Roo Code", r"(.*/)?(\.roo/mcp|mcp_settings)\.json", expands=rf"{_ENV}|\$\{{workspaceFolder\}}", shown="${env:NAME}",
    ),
    Client(  # zed.dev/docs/ai/mcp; zed#60459: what stands there is sent as it is
        "Zed", r".*", (("context_servers",),), expands="",
    ),
    Client(  # developers.openai.com/codex/mcp: variables are named, not written into texts
        "Codex", r".*\.toml", (("mcp_servers",),), expands="",
        shown="it takes names of variables, in env_vars, bearer_token_env_var and env_http_headers",
    ),
    Client(  # code.visualstudio.com/docs/copilot/reference/mcp-configuration and variables-reference; vscode#246154
        "VS Code", r"(.*/)?(mcp|settings|devcontainer|\.devcontainer|[^/]*\.code-workspace)(\.json)?",
        (("servers",), ("mcp", "servers"), ("settings", "mcp", "servers"), ("customizations", "vscode", "mcp", "servers")),
        r"\$\{((input|env|config|command):[^{}]+|(userHome|workspace(Folder|Root)\w*|extensionInstallFolder|fileWorkspaceFolder\w*|file\w*|relativeFile\w*"
        r"|cwd|lineNumber|columnNumber|selectedText|execPath|defaultBuildTask|pathSeparator|/)(:[^{}]*)?)\}",
        "${input:id} and ${env:NAME}",
    ),
    Client("", r".*", (("mcpServers",), ("projects", "*", "mcpServers"), ("mcp", "servers"))),
)  # fmt: skip
_SERVERS_FILE = re.compile(r"(.*/)?mcp\.json")
"""The one file in which a bare `servers` means MCP servers."""


def find_map(path: str, keys: Sequence[str | int]) -> tuple[Client, int] | None:
    """Return whose map of servers holds what `keys` lead to, in the file at `path`, and how many keys lead to the map."""
    low = path.lower()
    for client in CLIENTS:
        for shape in client.maps:
            if len(keys) > len(shape) and all(want in ("*", key) for want, key in zip(shape, keys, strict=False)):
                if shape == ("servers",) and not _SERVERS_FILE.fullmatch(low):
                    continue
                if re.fullmatch(client.path, low):
                    return client, len(shape)
    return None


def may_have_servers(path: str, text: str) -> bool:
    """Say, cheaply, whether the file at `path` may hold servers of a client of whom it is known what it expands."""
    low = path.replace("\\", "/").lower()
    return any(
        client.expands is not None
        and any(text.find(shape[-1]) >= 0 for shape in client.maps)
        and re.fullmatch(client.path, low)
        for client in CLIENTS
    )
