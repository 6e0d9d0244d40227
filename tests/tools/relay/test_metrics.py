"""The parts' metrics: what is counted, and that `promtool` finds nothing to say against any of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from sprint.tools.relay.metrics import DELIVERY_BOUNDS_S, DeliverySeconds

deliveries = st.lists(st.tuples(st.floats(0, 10), st.integers(1, 500)), min_size=1, max_size=20)


@given(deliveries)
def test_deliveries_counted_at_once_are_counted_as_if_one_by_one(found: list[tuple[float, int]]) -> None:
    registry = CollectorRegistry()
    seconds = DeliverySeconds()
    registry.register(seconds)
    for each, subscribers in found:
        seconds.observe("bitcoin", "turbo", each, subscribers)

    def value(name: str, **labels: str) -> float | None:
        labels |= {"chain": "bitcoin", "tier": "turbo"}
        return registry.get_sample_value(f"sprint_delivery_seconds_{name}", labels)

    for bound in DELIVERY_BOUNDS_S:
        within = sum(subscribers for each, subscribers in found if each <= bound)
        assert value("bucket", le=str(bound)) == within
    assert value("count") == value("bucket", le="+Inf") == sum(subscribers for _, subscribers in found)
    total = sum(each * subscribers for each, subscribers in found)
    assert abs((value("sum") or 0.0) - total) <= 1e-9 * (1 + total)
