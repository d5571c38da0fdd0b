"""Where values are kept: one interface, one file a secret manager, and the local vault."""
