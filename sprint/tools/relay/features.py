"""Switches what can be switched while a relay runs: at its start, and when a reload of the config says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sprint.tools.relay.sources.p2p_chain import P2pChain
from sprint.tools.relay.view import ServedChain


def switch_features(chains: Iterable[ServedChain], switches: Mapping[str, bool]) -> None:
    """Switch each feature that is named, on every chain. `watch_config` is the reload's own."""
    for chain in chains:
        if "hedging" in switches:
            chain.intake.pipeline.state.fetcher.hedging = switches["hedging"]
        if "high_bandwidth" in switches:
            shared = P2pChain.of(chain.intake, chain.network.parameters)
            shared.switch_high_bandwidth(on=switches["high_bandwidth"])
