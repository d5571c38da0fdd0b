"""The doctor: plants canaries before a real AI client and says what a model would have seen and what came onto the disk."""
