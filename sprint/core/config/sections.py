"""The sections of `sprint.toml`: what each key may be, its default, and what it is for.

The texts are the only ones: `config example`, `config explain` and the reference page are made of them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sprint.core.config.optimize_section import OptimizeSection

ADMIN_PORT = 8081
METRICS_PORT = 9090


def about(text: str, *, flag: str = "", at_once: bool = False, default: str = "") -> Meta:
    """Describe a key. `at_once`: a reload applies it; `default` says in words what None stands for."""
    return Meta(description=text, extra={"flag": flag, "at_once": at_once, "default": default})


Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
PortNumber = Annotated[int, Meta(ge=0, le=65_535)]


class RelaySection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[relay]`."""

    tiers: Annotated[
        Annotated[tuple[str, ...], Meta(min_length=1)],
        about("tiers served, each on its port", flag="--tier"),
    ] = ("free", "business", "enterprise")
    host: Annotated[
        str, about("address to listen on; this version refuses all but loopback", flag="--host")
    ] = "127.0.0.1"
    data_dir: Annotated[
        str | None,
        about(
            "where the event log is kept, or the high-water mark of one in PostgreSQL; with the devnet in a "
            "temporary folder in there, or the system's",
            flag="--data-dir",
            default="the XDG data folder",
        ),
    ] = None
    kernels: Annotated[
        Literal["auto", "avx512", "sha", "avx2", "portable", "reference"],
        about(
            "how hashes are made: `auto` compiles for this processor while the relay serves already; "
            "a name asks for that form alone; `reference` is plain Python"
        ),
    ] = "auto"
    durability: Annotated[
        Literal["process", "disk", "memory"],
        about(
            "`process` survives the end of the process, also by `kill -9`; `disk` syncs every commit and "
            "survives power loss; `memory` keeps no file"
        ),
    ] = "process"


class StoreSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[store]`."""

    url: Annotated[
        str | None,
        about(
            "the database that keeps the log: `postgresql://user@host/database`, with libpq's parameters, or "
            "`sqlite:///path`; `SPRINT_DATABASE_URL` sets it too, and `DATABASE_URL` where nothing else does",
            flag="--database-url",
            default="SQLite in `relay.data_dir`",
        ),
    ] = None
    auto_migrate: Annotated[
        bool | None,
        about(
            "bring an older schema up to date at the start; else it is refused",
            flag="--auto-migrate",
            default="`true` for SQLite, `false` for PostgreSQL",
        ),
    ] = None
    readers: Annotated[
        Annotated[int, Meta(ge=1, le=100)],
        about("connections that answer what is asked of the log, at most; one more writes"),
    ] = 4
    connect_timeout_s: Annotated[Seconds, about("of PostgreSQL: how long connecting may take")] = 5.0
    answer_timeout_s: Annotated[
        Seconds, about("of PostgreSQL: how long an answer may take; a server that is silent for longer fails")
    ] = 10.0


class SourceSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[chains.NAME.sources]]`. A reload adds and removes sources; one that was changed connects anew."""

    url: Annotated[str, about("`p2p://host:port`, or with scheme `rpc`, `rpcs` or `zmq`", at_once=True)]
    name: Annotated[
        str | None,
        about("how the source is called in events; unique", at_once=True, default="`scheme:host:port`"),
    ] = None
    provider: Annotated[
        str | None,
        about("sources of one agree as one, as ways to one node have to", at_once=True, default="the name"),
    ] = None
    cookie_file: Annotated[
        str | None, about("of `rpc`: the node's cookie file; read again when the node restarts", at_once=True)
    ] = None
    user_env: Annotated[
        str | None, about("of `rpc`: the environment variable that holds the user", at_once=True)
    ] = None
    password_env: Annotated[
        str | None, about("of `rpc`: the environment variable that holds the password", at_once=True)
    ] = None
    topics: Annotated[
        tuple[str, ...] | None,
        about("of `zmq`: the topics to subscribe to", at_once=True, default="all three"),
    ] = None
    mempool: Annotated[
        bool | None,
        about(
            "of `p2p`: the node tells of its transactions, and blocks come in short",
            at_once=True,
            default="`false`",
        ),
    ] = None


class ChainSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[chains.NAME]`. A chain with a network other than main is written `[chains.litecoin-regtest]`."""

    sources: Annotated[tuple[SourceSection, ...], about("the nodes, as below", at_once=True)] = ()
    validation: Annotated[Literal["full"], about("what a block must pass")] = "full"
    quorum: Annotated[
        Count,
        about(
            "providers of which a source is waited for before a block goes out; see `provider` of a source"
        ),
    ] = 1
    quorum_wait_ms: Annotated[
        Annotated[int, Meta(ge=0, le=600_000)],
        about("how long they are waited for; then the block goes out with the `agreed_by` it has"),
    ] = 500
    quorum_strict: Annotated[
        bool, about("never rather than late: without its quorum a block stays, and the chain is stalled")
    ] = False
    finality_depth: Annotated[Count, about("confirmations after which a block is told as `finalized`")] = 6
    catch_up_blocks_max: Annotated[
        Count, about("missed blocks that are delivered in order; those before them are a `gap` and come late")
    ] = 2016
    retained_blocks_max: Annotated[
        Count, about("how far below the head the tree reaches, and so how deep a reorg may go")
    ] = 4032
    body_timeout_s: Annotated[Seconds, about("a header whose body cannot be had by then is withdrawn")] = 30.0
    gap_after_s: Annotated[
        Seconds, about("a body that holds others up for so long is passed over by a `gap`")
    ] = 60.0
    no_block_alarm_s: Annotated[
        Seconds | None,
        about(
            "without a new block for so long the chain is stalled, though its sources look well",
            default="the network's own, 15 min to 2 h; on a regtest none",
        ),
    ] = None


class AdminSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[admin]`."""

    port: Annotated[PortNumber, about("port of the admin listener", flag="--admin-port")] = ADMIN_PORT


class MetricsSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[metrics]`."""

    port: Annotated[PortNumber, about("port of the metrics listener", flag="--metrics-port")] = METRICS_PORT


class LogSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[log]`."""

    format: Annotated[Literal["text", "json"], about("`text` or `json`, on stderr", flag="--log-format")] = (
        "text"
    )
    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        about("`debug`, `info`, `warning` or `error`", flag="--log-level", at_once=True),
    ] = "info"


class FeaturesSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[features]`: what can be switched while the relay runs."""

    watch_config: Annotated[
        bool, about("a changed config file is read again by itself, not on SIGHUP alone", at_once=True)
    ] = True
    hedging: Annotated[
        bool, about("a body that is slow to come is asked of a second source too", at_once=True)
    ] = True
    high_bandwidth: Annotated[
        bool,
        about(
            "the P2P nodes that deliver first, three at most, are asked to send compact blocks "
            "unasked (BIP 152)",
            at_once=True,
        ),
    ] = True


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of `sprint.toml`."""

    relay: RelaySection = RelaySection()
    store: StoreSection = StoreSection()
    chains: dict[str, ChainSection] = {}
    tiers: dict[str, dict[str, Any]] = {}
    admin: AdminSection = AdminSection()
    metrics: MetricsSection = MetricsSection()
    log: LogSection = LogSection()
    features: FeaturesSection = FeaturesSection()
    optimize: OptimizeSection = OptimizeSection()
    breakers: dict[str, Any] = {}


# Of a tier's policy, whose record belongs to the relay: what each field is for, and what a reload applies.
TIER_KEYS: dict[str, Meta] = {
    "aliases": about("other names"),
    "port": about("where it is served", flag="--port"),
    "rank": about("who is served first when several are due: the higher", at_once=True),
    "coalescing_window_ms": about("events within it may go out in one write", at_once=True),
    "delivery_goal_ms": about("the goal for p99", at_once=True),
    "connections_max": about("0: what the descriptor limit allows", at_once=True),
    "requests_per_minute": about("0: no limit; not enforced yet", at_once=True),
    "optimize_level": about("how far the process is tuned where this tier alone is served, with `--tier`"),
    "history_days": about("how long events are kept; the highest of the tiers served decides"),
}
