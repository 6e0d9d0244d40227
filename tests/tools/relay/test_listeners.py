"""A port that somebody asked for is served or refused; only a default one gives way to a free one."""

from __future__ import annotations

import msgspec
import pytest

from sprint.core.errors import ListenError
from sprint.tools.net import bind
from sprint.tools.relay.listeners import Ports, bind_all
from tests.tools.relay.serving import policy


def test_a_taken_port_that_the_config_sets_for_a_tier_is_an_error_also_for_the_devnet() -> None:
    tier = policy()
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        asked = msgspec.structs.replace(tier, port=port)
        by_default = Ports(host="127.0.0.1", tier=None, admin=0, metrics=0, free_if_taken=True)
        bound = bind_all((asked,), by_default)
        assert bound[0].getsockname()[1] != port
        for listener in bound:
            listener.close()
        by_config = msgspec.structs.replace(by_default, tiers_set=frozenset({tier.name}))
        with pytest.raises(ListenError, match=rf"{port} \(tiers\.{tier.name}\.port\)"):
            bind_all((asked,), by_config)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "relay.example"])
def test_nothing_is_bound_off_loopback_the_admin_listener_neither(host: str) -> None:
    ports = Ports(host=host, tier=0, admin=0, metrics=0, free_if_taken=True)
    for tiers in ((policy(),), ()):  # without a tier the admin listener is the first to be bound
        with pytest.raises(ListenError, match="only loopback addresses are served"):
            bind_all(tiers, ports)
