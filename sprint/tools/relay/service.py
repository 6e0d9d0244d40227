"""Wires one relay together and runs it until it is told to stop. It does none of the work itself.

Order of the start: store, chains restored from it, sockets bound, delivery and API, then the sources. Order
of the stop: sources, what is submitted committed and handed over, sockets closed with 1001, store.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from sprint.core.chains import Checkpoint, internal_hash
from sprint.core.config import BreakerSettings, ChainSection, ConfigChange, FeaturesSection, StoreSection
from sprint.core.errors import ConfigError
from sprint.core.kernels import REFERENCE
from sprint.core.relay.event_log import Commit, EventLog
from sprint.core.relay.pipeline import Pipeline
from sprint.core.relay.restore import new_tree, restore_tree
from sprint.core.relay.settings import ChainSettings
from sprint.core.relay.source_url import SourceSpec
from sprint.core.relay.tiers import TierPolicy, highest_tier, parse_tiers
from sprint.tools.breaker_api.feed import BreakerFeed
from sprint.tools.devnet.control import add_control
from sprint.tools.devnet.edge import CHAIN_IDS, Devnet
from sprint.tools.plugins import ChainCatalog, ChainNetwork
from sprint.tools.relay.admin_api import BODY_SIZE_MAX, AdminApi
from sprint.tools.relay.api import Api
from sprint.tools.relay.attendant import Attendant, Place, told_when_warm
from sprint.tools.relay.breakers import RelayBreakers
from sprint.tools.relay.commit import Committer
from sprint.tools.relay.delivery import Delivery
from sprint.tools.relay.drain import Drain
from sprint.tools.relay.embedded_devnet import start_devnet
from sprint.tools.relay.features import switch_features
from sprint.tools.relay.gc_pauses import GcPauses
from sprint.tools.relay.intake import Intake, Shared
from sprint.tools.relay.kernels_warm_up import KernelsWarmUp
from sprint.tools.relay.listeners import Ports, bind_all, metrics_site
from sprint.tools.relay.live_config import LiveConfig, LiveParts
from sprint.tools.relay.live_sources import LiveSources
from sprint.tools.relay.log_store import LogPlace, open_log_store
from sprint.tools.relay.loop_lag import LoopLag
from sprint.tools.relay.metrics import DeliverySeconds, DeliveryTimes, RelayParts, register_parts
from sprint.tools.relay.proving import Prover
from sprint.tools.relay.recorder import Recorder
from sprint.tools.relay.source_guards import SourceGuards
from sprint.tools.relay.source_tasks import SourceTasks
from sprint.tools.relay.sources import new_source
from sprint.tools.relay.sources.p2p_chain import P2pChain
from sprint.tools.relay.stages import StageObserver, StageTimes
from sprint.tools.relay.view import ServedChain, ServiceView
from sprint.tools.runtime import (
    StopSignal,
    background,
    clock,
    leave_start_up_to_itself,
    log_fields,
    wall_clock,
)
from sprint.tools.store import ChainSnapshot, Store
from sprint.tools.store.settings import Durability
from sprint.tools.web.guard import Guard
from sprint.tools.web.server import STOP_TIMEOUT_S, Listener, serve

FLUSH_TIMEOUT_S = 2.0
STORE_CLOSE_S = 1.0  # of the time for a stop, what is left for the store
DAY_S = 86_400.0
log = logging.getLogger(__name__)


class RelayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line and the config ask for, resolved.

    `devnet_faults` is a seed; a `devnet_interval_ms` of None is each chain's own pace.
    """

    sources: tuple[SourceSpec, ...]
    chain_sections: dict[str, ChainSection]
    tiers: tuple[TierPolicy, ...]
    ports: Ports
    data_dir: Path | None
    durability: Durability
    demo: bool
    store: StoreSection = StoreSection()
    devnet_faults: str | None = None
    devnet_interval_ms: int | None = None
    features: FeaturesSection = FeaturesSection()
    breakers: BreakerSettings = BreakerSettings()
    chains: tuple[str, ...] = ()
    kernels: str = REFERENCE


class ServingListener(msgspec.Struct, frozen=True):
    tier: str
    url: str


class Serving(msgspec.Struct, frozen=True):
    """The line that says that the relay is ready."""

    event: str
    listeners: tuple[ServingListener, ...]
    admin: str
    metrics: str
    log: str


class RelayService:
    """One relay. `run` returns when it has stopped; `serving` is called once, when it is ready."""

    def __init__(
        self,
        options: RelayOptions,
        observer: StageObserver | None = None,
        attendants: Sequence[Attendant] = (),
    ) -> None:
        self.options = options
        self.attendants = tuple(attendants)
        self.registry = CollectorRegistry()
        self.observer: StageObserver = observer or StageTimes(self.registry)
        self.catalog = ChainCatalog.installed()
        self._live: LiveConfig | None = None
        self.view: ServiceView | None = None  # while it serves

    async def apply(self, change: ConfigChange) -> dict[str, str]:
        """Apply a change of the config while it runs; return the keys that need a restart, with why."""
        if self._live is None:
            return dict.fromkeys(change.at_once, "the relay is starting or stopping")
        return await self._live.apply(change)

    async def run(self, serving: Callable[[Serving], None], stop: StopSignal) -> None:
        """Start, serve until `stop`, drain. SprintError where it cannot start."""
        async with contextlib.AsyncExitStack() as stack:
            configured = [
                (self.catalog.find(spec.chain, spec.network), spec) for spec in self.options.sources
            ]
            devnet_ids = self._devnet_ids({network.chain_id for network, _ in configured})
            wanted = self._wanted([network.chain_id for network, _ in configured] + devnet_ids)
            bound = bind_all(self.options.tiers, self.options.ports)
            for listener in bound:
                stack.callback(listener.close)
            specs = [pair for pair in configured if pair[0].chain_id in wanted]
            devnet, nodes = await start_devnet(
                stack,
                self.catalog,
                [each for each in devnet_ids if each in wanted],
                faults=self.options.devnet_faults,
                interval_ms=self.options.devnet_interval_ms,
            )
            specs += nodes
            store = self._open_store(stack)
            drain = Drain()
            stack.push_async_callback(drain.close, store)
            relay = _Running(self, store, specs)
            stack.push_async_callback(relay.stop, drain)
            line = await relay.start(bound, devnet, devnet_ids)
            self._live = relay.live_config(devnet_ids)
            self.view = relay.view
            leave_start_up_to_itself()
            for attendant in self.attendants:
                stack.callback(attendant.stopped)
                attendant.serving()
            serving(line)
            async with (
                background(told_when_warm(relay.warm_up.run(), self.attendants)),
                relay.breakers.running(),
            ):
                await stop.wait()
            self._live = self.view = None
            log_fields(log, logging.INFO, "stopping", drain_s_max=STOP_TIMEOUT_S)

    def _devnet_ids(self, configured: set[str]) -> list[str]:
        """Return the chains that the devnet runs: those that no source is configured for."""
        return [each for each in CHAIN_IDS if each not in configured] if self.options.demo else []

    def _wanted(self, chain_ids: list[str]) -> set[str]:
        """Return the chains to follow: all, or those that --chain names."""
        if not self.options.chains:
            return set(chain_ids)
        wanted = set()
        for name in self.options.chains:
            chain_id = self.catalog.resolve(name, chain_ids)
            if chain_id is None:
                raise ConfigError(f"--chain {name}: there are {', '.join(sorted(set(chain_ids)))}")
            wanted.add(chain_id)
        return wanted

    def _open_store(self, stack: contextlib.AsyncExitStack) -> Store:
        options = self.options
        place = LogPlace(
            folder=options.data_dir,
            section=options.store,
            durability=options.durability,
            history_s=max(tier.history_days for tier in options.tiers) * DAY_S,
        )
        return open_log_store(place, stack, demo=options.demo)


def packaged_tiers(overrides: Mapping[str, Mapping[str, Any]]) -> dict[str, TierPolicy]:
    """Return the packaged tiers with a config's fields laid over them."""
    text = resources.files("sprint.core.relay").joinpath("tiers.toml").read_text(encoding="utf-8")
    return parse_tiers(text, overrides)


class _Running:
    """The parts of a relay while it runs."""

    def __init__(
        self, service: RelayService, store: Store, specs: list[tuple[ChainNetwork, SourceSpec]]
    ) -> None:
        self._service = service
        self._store = store
        self._observer = service.observer
        self.breakers = RelayBreakers(highest_tier(service.options.tiers).name, service.options.breakers)
        self._feed = BreakerFeed(self.breakers.registry)
        snapshots = {network.chain_id: self._snapshot(network) for network, _ in specs}
        position = store.bounds().latest
        seqs = {chain_id: snapshot.seq for chain_id, snapshot in snapshots.items()}
        self._delivery_seconds = DeliverySeconds()
        observer = DeliveryTimes(self._observer, self._delivery_seconds)
        self._delivery = Delivery(store, store.log_id, position, observer=observer)
        self._committer = Committer(store, self._committed, self._pause)
        self._prover = Prover()
        shared = Shared(
            EventLog(store.log_id, position, seqs), self._prover, self._committer.submit, self._observer
        )
        self._chains: dict[str, ServedChain] = {}
        for network, spec in specs:
            if network.chain_id not in self._chains:
                pipeline = self._pipeline(network, snapshots[network.chain_id])
                self._chains[network.chain_id] = ServedChain(
                    network, Intake(network.chain_id, pipeline, shared), []
                )
                if service.options.data_dir is not None:
                    shared_by_p2p = P2pChain.of(self._chains[network.chain_id].intake, network.parameters)
                    shared_by_p2p.peers.keep_in(service.options.data_dir)
            chain = self._chains[network.chain_id]
            chain.sources.append(new_source(spec, network, chain.intake, self._observer))
        switch_features(self._chains.values(), msgspec.structs.asdict(service.options.features))
        self.view = ServiceView(self._chains, store, [tier.name for tier in service.options.tiers])
        self.view.subscribers = lambda: self._delivery.subscriber_count
        self.view.subscribers_by_tier = self._delivery.subscribers_by_tier
        self.warm_up = KernelsWarmUp(service.options.kernels)
        self.view.kernels = lambda: self.warm_up.state
        self.view.attended = lambda: {each.name: each.health() for each in service.attendants}
        self._listeners: list[Listener] = []
        self._sources = SourceTasks(self._chains, self._observer, SourceGuards(self.breakers))
        self._loop_lag = LoopLag(service.registry)
        self._gc_pauses = GcPauses()
        service.registry.register(self._gc_pauses)
        resolve = partial(service.catalog.resolve, served=list(self._chains))
        self._api = Api(self.view, store, self._delivery, resolve)
        self._recorder = Recorder(store, self._parts(), service.options.tiers, self._observer)

    async def start(
        self, bound: Sequence[socket.socket], devnet: Devnet, devnet_ids: Sequence[str]
    ) -> Serving:
        """Serve on the bound sockets, then start the sources. The admin listener controls the devnet too."""
        tiers = self._service.options.tiers
        *tier_sockets, admin, metrics = bound
        for tier, listener in zip(tiers, tier_sockets, strict=True):
            host, port = listener.getsockname()[:2]
            self._listeners.append(await serve(self._api.site(tier, port, host), listener))
        registry = self._service.registry
        register_parts(registry, self._parts())
        live = LiveSources(self._service.catalog, self._chains, self._sources, devnet_ids)
        admin_api = AdminApi(self.view, self._chains, self._feed, live, self._recorder.ordered)
        site = admin_api.site(_guard(admin, body_size_max=BODY_SIZE_MAX), registry)
        for attendant in self._service.attendants:
            on_time = partial(self._delivery_seconds.on_time, tiers)
            attendant.attend(Place(registry, site.router, self._gc_pauses, on_time))
        if devnet.chain_ids:
            add_control(site.router, devnet)
        self._listeners.append(await serve(site, admin))
        self._listeners.append(await serve(metrics_site(_guard(metrics), registry), metrics))
        self._committer.start(self.breakers.store().call)
        self.view.committer = self._committer
        for chain in self._chains.values():
            chain.intake.start()
        self._sources.start()
        self._feed.start()
        self._loop_lag.start()
        self._gc_pauses.start()
        self._recorder.start()
        urls = [listener.url for listener in self._listeners]
        self.view.tier_urls = {tier.name: url for tier, url in zip(tiers, urls, strict=False)}
        return Serving(
            event="serving",
            listeners=tuple(ServingListener(*each) for each in self.view.tier_urls.items()),
            admin=urls[-2],
            metrics=urls[-1],
            log=self._store.log_id,
        )

    def live_config(self, devnet_ids: Sequence[str]) -> LiveConfig:
        """Return what of this a reload of the config may change."""
        parts = LiveParts(self._chains, self._sources, self._api, self.breakers)
        return LiveConfig(self._service.catalog, parts, devnet_ids)

    async def stop(self, drain: Drain) -> None:
        """Take nothing more, hand over what is in the log, close the sockets."""
        for chain in self._chains.values():
            chain.intake.close()
        self._sources.cancel()
        self._feed.stop()
        self._loop_lag.stop()
        self._gc_pauses.stop()
        # A proof that runs is left to its end; nobody waits for its result.
        self._prover.cancel()
        proving = asyncio.create_task(asyncio.to_thread(self._prover.close))
        await self._sources.ended()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain.left_s(FLUSH_TIMEOUT_S)):
                await self._committer.flushed()
        self._recorder.stop()
        self._delivery.finish()
        timeout_s = drain.left_s() - STORE_CLOSE_S
        await asyncio.gather(*(listener.stop(timeout_s) for listener in self._listeners))
        await asyncio.to_thread(self._delivery.close)
        await proving

    def _parts(self) -> RelayParts:
        return RelayParts(
            self._chains,
            self.view,
            [tier.name for tier in self._service.options.tiers],
            self._delivery,
            self._delivery_seconds,
            self._store,
            self._committer,
            self._api.sites,
            self.breakers,
        )

    def _snapshot(self, network: ChainNetwork) -> ChainSnapshot:
        self._store.bind_chain(network.chain_id, network.parameters.genesis_hash)
        # A restart must know of the headers below its head all that judging the next one takes.
        depth = max(self._settings(network).retained_blocks_max, network.processor().ancestry_blocks)
        return self._store.snapshot(network.chain_id, depth)

    def _settings(self, network: ChainNetwork) -> ChainSettings:
        section = self._service.options.chain_sections.get(network.chain_id, ChainSection())
        return ChainSettings(
            catch_up_blocks_max=section.catch_up_blocks_max,
            retained_blocks_max=section.retained_blocks_max,
            body_timeout_s=section.body_timeout_s,
            gap_after_s=section.gap_after_s,
            finality_depth=section.finality_depth,
            quorum=section.quorum,
            quorum_wait_ms=section.quorum_wait_ms,
            quorum_strict=section.quorum_strict,
            no_block_alarm_s=section.no_block_alarm_s or network.parameters.no_block_alarm_s,
        )

    def _pipeline(self, network: ChainNetwork, snapshot: ChainSnapshot) -> Pipeline:
        processor, settings = network.processor(), self._settings(network)
        retained = settings.retained_blocks_max
        if snapshot.head is None:
            start = network.parameters.checkpoint or Checkpoint(0, network.parameters.genesis)
            tree = new_tree(processor, start.header, retained, height=start.height)
        else:
            tree = restore_tree(processor, snapshot.blocks, snapshot.head, retained)
        pipeline = Pipeline(processor, settings, tree, network.parameters.genesis_hash, clock())
        pipeline.set_unix_time(wall_clock(), clock())
        pipeline.restore_stall(snapshot.stalled)
        return pipeline

    def _committed(self, commits: Sequence[Commit]) -> None:
        """Hand over what is in the log now; whatever else wants to know of it comes after."""
        now = clock()
        for commit in commits:
            for event in commit.events:
                if event.type == "block" and event.hash is not None:
                    self._observer.mark("logged", event.chain, internal_hash(event.hash), now)
        self._delivery.publish([event for commit in commits for event in commit.events])
        for commit in commits:
            self.view.note(commit)
        self._recorder.note(commits)

    def _pause(self, *, paused: bool) -> None:
        for chain in self._chains.values():
            chain.intake.pause(paused=paused)


def _guard(bound: socket.socket, *, body_size_max: int = 0) -> Guard:
    host, port = bound.getsockname()[:2]
    return Guard(port, host, body_size_max=body_size_max)
