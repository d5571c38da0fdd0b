"""What AI agents talk to. Empty until the MCP server and the hooks land."""
