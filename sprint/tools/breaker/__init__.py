"""The faces of the circuit breaker: clock, locks and asyncio around the machine of the core."""
