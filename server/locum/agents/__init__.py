"""What AI agents talk to: ignore files for their clients, the bridge to remote MCP servers."""
