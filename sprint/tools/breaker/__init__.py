"""The faces of the circuit breaker: clock, locks and asyncio around the machine of the core."""

from sprint.tools.breaker.circuit_breaker import CircuitBreaker
from sprint.tools.breaker.held_permit import HeldPermit
from sprint.tools.breaker.judge import Judge
from sprint.tools.breaker.registry import BreakerRegistry, packaged_policies

__all__ = ["BreakerRegistry", "CircuitBreaker", "HeldPermit", "Judge", "packaged_policies"]
