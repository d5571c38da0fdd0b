"""A finding becomes edits. Pure: one table of idioms per language and configuration format."""
