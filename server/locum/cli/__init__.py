"""The commands, thin: they parse, call the rooms below and render."""
