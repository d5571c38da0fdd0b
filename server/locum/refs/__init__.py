"""The reference grammar and the manifest `locum.toml`. Pure text work: no files, no vaults."""
