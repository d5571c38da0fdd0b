"""The MCP server: tools with which an AI agent uses secrets and never sees them."""
