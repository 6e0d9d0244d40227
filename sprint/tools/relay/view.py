"""What the service tells the API: chains, heads, sources, health. Answers from memory."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from sprint import __version__
from sprint.core.chains import display_hash, internal_hash
from sprint.core.relay.event_log import Commit
from sprint.core.relay.network_stats import NetworkStatistics, NetworkStats
from sprint.core.relay.status import BlockStatus, block_status
from sprint.tools.plugins import ChainNetwork
from sprint.tools.relay.api import ChainView
from sprint.tools.relay.commit import Committer
from sprint.tools.relay.intake import Intake
from sprint.tools.relay.kernels_warm_up import KernelState
from sprint.tools.relay.sources.view import Source
from sprint.tools.store import Store, StoredBlock

PROOF_OF_WORK_FAMILY = "bitcoin"


class ServedChain(NamedTuple):
    """One chain that the relay follows."""

    network: ChainNetwork
    intake: Intake
    sources: list[Source]


class ChainSummary(NamedTuple):
    """A chain in a few words: `height` is the newest block delivered, None before there is one."""

    chain: str
    status: str
    height: int | None
    sources_ready: int
    sources: int


class TierListener(NamedTuple):
    """Where a tier is served, and how many live subscribers it has."""

    tier: str
    url: str
    subscribers: int


class ServiceView:
    """The API's `RelayView`. `note` keeps the newest block of each chain as it was delivered."""

    def __init__(self, chains: Mapping[str, ServedChain], store: Store, tiers: Sequence[str]) -> None:
        self._chains = chains
        self._store = store
        self._tiers = tiers
        self._latest: dict[str, StoredBlock] = {}
        self.committer: Committer | None = None
        self.subscribers: Callable[[], int] = lambda: 0
        self.subscribers_by_tier: Callable[[], Counter[str]] = Counter
        self.tier_urls: Mapping[str, str] = {}
        self.kernels: Callable[[], KernelState] = lambda: KernelState("reference")
        self.attended: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
        self._statistics = {
            chain_id: NetworkStatistics(
                chain.intake.pipeline.state.tree, chain.network.parameters.block_interval_s
            )
            for chain_id, chain in chains.items()
            if chain.network.chain.family == PROOF_OF_WORK_FAMILY
        }
        for chain_id, chain in chains.items():
            head = chain.intake.pipeline.state.tree.head
            for block in store.blocks_before(chain_id, head.height + 1, 1):
                self._latest[chain_id] = block

    def note(self, commit: Commit) -> None:
        """Take in what was committed, from the commit alone: this runs between the log and its readers.

        A new head has more work than every block delivered before it. So it is delivered in the commit that
        moves the head to it, or never: where the log begins, or where a gap passes over it. Then the newest
        block delivered is the one below.
        """
        if commit.head is None:
            return
        for event in reversed(commit.events):
            if event.type == "block" and event.hash is not None and event.height is not None:
                self._latest[commit.chain] = StoredBlock(
                    commit.chain, event.hash, event.height, canonical=True, event_body=event.body
                )
                return
        latest = self._latest.get(commit.chain)
        if latest is not None and (internal_hash(latest.hash), False) in commit.canonical:
            self._latest[commit.chain] = msgspec.structs.replace(latest, canonical=False)

    def chains(self) -> Sequence[ChainView]:
        return [self._chain_view(chain_id, chain) for chain_id, chain in self._chains.items()]

    def _chain_view(self, chain_id: str, chain: ServedChain) -> ChainView:
        latest = self._latest.get(chain_id)
        return ChainView(
            chain=chain_id,
            name=chain.network.chain.name,
            network=chain.network.network,
            aliases=chain.network.chain.aliases,
            status=_status(chain),
            height=latest.height if latest else None,
            hash=latest.hash if latest else None,
        )

    def summary(self) -> Sequence[ChainSummary]:
        """Return each chain in a few words."""
        return [
            ChainSummary(
                view.chain,
                view.status,
                view.height,
                self._chains[view.chain].intake.pipeline.state.sources_ready,
                len(self._chains[view.chain].sources),
            )
            for view in self.chains()
        ]

    def chain_status(self, chain: str) -> Mapping[str, Any]:
        served = self._chains[chain]
        state = served.intake.pipeline.state
        latest = self._latest.get(chain)
        return {
            "chain": chain,
            "status": _status(served),
            "reason": served.intake.pipeline.watchdog.stalled or "",
            "log": self._store.log_id,
            "anchor": _anchor(served) if state.begun else None,
            "validation": "full",
            "head": _head(served, latest) if latest else None,
            "best_header": {
                "height": state.tree.best_header.height,
                "hash": display_hash(state.tree.best_header.hash),
            },
            "bodies_wanted": len(state.fetcher),
            "validated": {
                "headers": state.tally.headers_accepted,
                "blocks": state.tally.blocks_accepted,
                "refused": dict(sorted(state.tally.refusals.items())),
                "newest_refusals": [
                    {"hash": display_hash(r.hash), "source": r.source, "check": r.check, "reason": r.reason}
                    for r in reversed(state.tally.newest_refusals)
                ],
            },
            "network": self.network_stats(chain),
            "sources_ready": state.sources_ready,
            "sources_far_behind": sorted(state.far_behind),
            "sources_on_trial": state.trials.on_trial,
            "sources": [source_answer(served, source) for source in served.sources],
        }

    def network_stats(self, chain: str) -> NetworkStats | None:
        """Return what a chain's newest blocks say of its network; None before its tip is found."""
        statistics = self._statistics.get(chain)
        return statistics.current() if statistics and _has_begun(self._chains[chain]) else None

    def latest(self, chain: str) -> StoredBlock | None:
        return self._latest.get(chain)

    def block_statuses(self, block_hash: bytes) -> Sequence[BlockStatus]:
        found = (
            block_status(chain.intake.pipeline.state, chain_id, block_hash)
            for chain_id, chain in self._chains.items()
        )
        return [status for status in found if status is not None]

    def health(self) -> Mapping[str, Any]:
        failing = self.committer.failing if self.committer is not None else "starting"
        chains = {chain_id: _health_of(chain) for chain_id, chain in self._chains.items()}
        store = {"status": "failing" if failing else "ok", "reason": failing or ""}
        good = not failing and all(part["status"] == "ok" for part in chains.values())
        return {
            "status": "ok" if good else "failing" if failing else "degraded",
            "version": __version__,
            "tiers": list(self._tiers),
            "subscribers": self.subscribers(),
            "parts": {
                "store": store,
                "chains": chains,
                "kernels": msgspec.to_builtins(self.kernels()),
                **self.attended(),
            },
        }

    def listeners(self) -> Sequence[TierListener]:
        """Return the tiers' listeners; none before they are there."""
        counts = self.subscribers_by_tier()
        return [TierListener(tier, url, counts[tier]) for tier, url in self.tier_urls.items()]

    def not_ready(self) -> str | None:
        if self.committer is None:
            return "the relay is starting; try again in a second"
        if self.committer.failing is not None:
            return f"the store refuses: {self.committer.failing}"
        return None

    def version(self) -> Mapping[str, Any]:
        return {"version": __version__, "python": platform.python_version(), "kernels": self.kernels().tier}


def _status(chain: ServedChain) -> str:
    if chain.intake.pipeline.watchdog.stalled is not None:
        return "stalled"
    return "following" if _has_begun(chain) else "starting"


def _has_begun(chain: ServedChain) -> bool:
    return chain.intake.pipeline.state.begun


def source_answer(chain: ServedChain, source: Source) -> dict[str, Any]:
    """Return what a source shows of itself, and how it stands among the others."""
    standing = chain.intake.pipeline.state.board.standing(source.spec.name)
    return {**msgspec.to_builtins(source.view()), "standing": standing}


def _head(chain: ServedChain, latest: StoredBlock) -> dict[str, Any]:
    """Return the newest block and who has announced it by now; nobody is kept of one from before a start."""
    state = chain.intake.pipeline.state
    node = state.tree.get(internal_hash(latest.hash))
    sources = sorted(node.sources) if node is not None else []
    agreed_by = state.providers.count(sources)
    return {"height": latest.height, "hash": latest.hash, "agreed_by": agreed_by, "sources": sources}


def _anchor(chain: ServedChain) -> str:
    """Say what the first block followed was taken by: a packaged checkpoint below it, or as it was found.

    A header at a checkpoint's height must be the checkpoint, so whatever lies above it stands on it.
    """
    checkpoint = chain.network.parameters.checkpoint
    above = checkpoint is not None and chain.intake.pipeline.state.tree.head.height >= checkpoint.height
    return "checkpoint" if above else "first_use"


def _health_of(chain: ServedChain) -> dict[str, str]:
    status = _status(chain)
    reason = chain.intake.pipeline.watchdog.stalled or (
        "its tip is not found yet" if status == "starting" else ""
    )
    return {"status": "ok" if status == "following" else status, "reason": reason}
