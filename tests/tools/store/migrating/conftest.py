from __future__ import annotations

from tests.tools.store.migrating.places import place

__all__ = ["place"]
