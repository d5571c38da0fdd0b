"""One module per language or file format; each has `rewrite(target) -> Plan` and raises `NoSafeEdit`."""
