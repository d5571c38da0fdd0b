"""The egress proxy: a task sends a placeholder, the proxy puts the value in its place, towards the allowed hosts only."""
