"""LSP methods, one file a family. A handler decodes, asks the session or the core, and encodes."""
