"""Lines, offsets, encodings, edits. Knows nothing else: no files, no rules, no protocol."""
