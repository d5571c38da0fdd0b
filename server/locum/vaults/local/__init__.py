"""The local vault: one encrypted file, opened by keyslots. The format is written down in docs/vault-format.md."""
