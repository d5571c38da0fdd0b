"""What an agent did in a session: noted by hooks and tools, and told to the person in the end. Names and places, no values."""
