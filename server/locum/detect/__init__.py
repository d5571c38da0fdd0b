"""Text in, findings out. Pure: no I/O, no clock of its own, no protocol types."""
