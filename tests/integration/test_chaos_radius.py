"""The blast radius on a relay of three chains: what is said before the faults is what is seen of them."""

from __future__ import annotations

from sprint.core.chaos.blast_radius import Target, observed, predicted
from sprint.core.chaos.faults import BreakerOrder
from sprint.core.chaos.radius_limit import exceeds, limit_of
from sprint.tools.chaos.admin import RelayAdmin
from sprint.tools.chaos.embedded import CHAINS, EmbeddedOptions, EmbeddedStack
from sprint.tools.chaos.faults import FaultKeeper
from tests.integration.real_servers import wait_until
from tests.integration.subscribers import Listener

LITECOIN, BITCOIN, DOGECOIN = CHAINS
NAMES = ("alice", "bob", "carol", "dave")
TTL_S = 60.0


def test_on_three_chains_faults_reach_whom_they_were_said_to_reach_and_nobody_else() -> None:
    hit = [f"{LITECOIN}:bob", *(f"{DOGECOIN}:dogecoin-{name}" for name in NAMES)]
    with (
        EmbeddedStack(EmbeddedOptions(chains=CHAINS)) as stack,
        RelayAdmin(stack.admin_url) as admin,
        Listener(stack.api_url),
        FaultKeeper(stack.data_folder.parent / "journal") as faults,
    ):
        wait_until(
            lambda: (
                all(source.usable for source in admin.map().sources) and admin.map().tiers[0].subscribers == 1
            ),
            "all sources are usable and one follows",
        )
        relay, before = admin.map(), admin.sample(0.0)
        said = predicted(relay, [Target("source", key) for key in hit])
        assert (said.chains_cut, said.chains_weakened, said.subscribers) == ((DOGECOIN,), (LITECOIN,), 1)
        assert exceeds(said, limit_of("sources=5,chains=2,chains_cut=1,subscribers=1"), relay) == ""
        assert "chains_cut=0" in exceeds(said, limit_of("chains_cut=0"), relay)
        for key in hit:
            order = BreakerOrder(stack.admin_url, f"source:{key}", "force_open")
            faults.inject(order, "force_open", f"source:{key}", "held open", TTL_S)
        wait_until(lambda: observed(relay, [admin.sample(1.0)], before) == said, "all that was said is seen")
        assert observed(relay, [admin.sample(1.0 + at) for at in range(10)], before) == said
        assert faults.undo_all() == []
        wait_until(
            lambda: all(source.usable for source in admin.map().sources), "all sources are usable again"
        )
