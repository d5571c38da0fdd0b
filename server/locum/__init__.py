"""Locum keeps secrets out of code, prompts and agent transcripts."""

__version__ = "0.1.0"
