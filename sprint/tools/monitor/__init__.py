"""Watches the breakers of relays: probes of their admin APIs, one board of what they say, and its faces."""
