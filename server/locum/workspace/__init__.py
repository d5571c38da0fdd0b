"""The project on disk: its root and identity, its manifest file, the walk over its files, settings."""
