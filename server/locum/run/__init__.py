"""Launch a task under a lease: its environment, its terminal, and the mask over its output."""
