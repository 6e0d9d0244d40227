"""Sprint: one verified, de-duplicated, ordered stream of new blocks out of many unreliable nodes.

`Client` and `AsyncClient` read a relay's events and blocks; `CircuitBreaker` guards calls of your own. They
are loaded when first asked for, so that `import sprint` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sprint.tools.breaker import CircuitBreaker
    from sprint.tools.client import AsyncClient, Client

__version__ = "0.1.0"
__all__ = ["AsyncClient", "CircuitBreaker", "Client", "__version__"]


def __getattr__(name: str) -> object:
    if name in ("AsyncClient", "Client"):
        from sprint.tools import client

        return getattr(client, name)
    if name == "CircuitBreaker":
        from sprint.tools.breaker import CircuitBreaker

        return CircuitBreaker
    raise AttributeError(f"module 'sprint' has no attribute {name!r}")
