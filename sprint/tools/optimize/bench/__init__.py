"""Measures levels and settings on this host: wake-ups, pauses, a relay's latency and rate."""
