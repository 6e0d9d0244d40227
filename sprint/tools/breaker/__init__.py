"""The faces of the circuit breaker: clock, locks and asyncio around the machine of the core."""

from sprint.tools.breaker.circuit_breaker import CircuitBreaker
from sprint.tools.breaker.held_permit import HeldPermit
from sprint.tools.breaker.judge import Judge

__all__ = ["CircuitBreaker", "HeldPermit", "Judge"]
