"""A sandbox for an agent (level L1): what it must not reach is out of its sight, and its tasks run outside."""
