"""The broker's client: the only door to the broker for the command line, the launcher, the server and agents.

Standard library only, and no import of the broker's inside: `locum run` pays for it on every start.
One client is one connection; its calls are blocking and must come from one thread at a time.
"""
