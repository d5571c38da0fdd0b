"""Leases, approval, audit, wire protocol, client. `client` and `wire` import nothing of the broker's inside."""
