"""The options of `cb-chaos` as they are given, on the command line or in a file, checked and made values."""

from __future__ import annotations

from typing import Literal

import msgspec

from sprint.core.chaos.wiring import BLOCKS_WITHIN_S_DEFAULT
from sprint.core.duration import parse_duration_s
from sprint.core.errors import ConfigError

DURATION_S_MIN = 1.0
DURATION_S_MAX = 3_600.0
RECOVERY_S_MIN = 0.1
RECOVERY_S_MAX = 3_600.0
# As long as the probe waits at most; for chains with rarer blocks there is 0.
BLOCKS_WITHIN_S_MAX = 600.0
EXPERIMENTS_MAX = 64
SEED_LIMIT = 1 << 62
EXPERIMENT_DEFAULT = "network-partition"
Breakers = Literal["on", "shadow"]


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options by their names."""

    experiment: tuple[str, ...] = ()
    target: str = ""
    stream: str = ""
    duration: str = "20s"
    source: tuple[str, ...] = ()
    figure: tuple[str, ...] = ()
    proxy: tuple[str, ...] = ()
    devnet: tuple[str, ...] = ()
    relay_pid: int = 0
    upstream_pid: tuple[str, ...] = ()
    data_dir: str = ""
    packets: bool = False
    chain: tuple[str, ...] = ()
    tier: str = "turbo"
    breakers: str = "on"
    seed: int = 0
    validate: bool = False
    recovery_sla: str = "5s"
    blocks_within: str = f"{BLOCKS_WITHIN_S_DEFAULT:g}s"
    max_blast_radius: str = ""
    allow: tuple[str, ...] = ()
    beside: str = ""
    journal_dir: str = ""
    tls_cert: str = ""
    tls_key: str = ""


class ChaosOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done to what. `target` is a relay's admin URL; empty: the embedded relay.

    `figures` override those of the experiment by name; `proxies`, `devnets` and `pids` say what is already
    between the relay and its upstreams: by source `CHAIN:NAME` the proxy's control URL and name, by chain the
    control URL, by source the process; `data_folder` is where the relay keeps its log. `packets`: nft may be
    used on a user's relay. `chains` are the embedded relay's; none: its own choice.
    `blocks_within_s`: a steady chain has a block in that time; 0 asks for none.
    """

    experiments: tuple[str, ...]
    target: str
    stream: str
    duration_s: float
    sources: tuple[str, ...]
    figures: dict[str, str]
    proxies: dict[str, str]
    devnets: dict[str, str]
    relay_pid: int
    upstream_pids: dict[str, int]
    data_folder: str
    packets: bool
    chains: tuple[str, ...]
    tier: str
    breakers: Breakers
    seed: int
    recovery_s_max: float
    recovery_judged: bool
    blocks_within_s: float
    max_blast_radius: str
    allowed: frozenset[str]
    beside: str
    journal_folder: str


def options_of(given: Given) -> ChaosOptions:
    """Check everything; ConfigError with option, value and what would be right."""
    if len(given.experiment) > EXPERIMENTS_MAX:
        raise ConfigError(f"--experiment: {len(given.experiment)} of them, limit {EXPERIMENTS_MAX}")
    if not 0 <= given.seed < SEED_LIMIT:
        raise ConfigError(f"--seed {given.seed}: a whole number from 0 to 2^62 - 1")
    _refuse_what_is_told_of_another(given)
    return ChaosOptions(
        experiments=given.experiment or (EXPERIMENT_DEFAULT,),
        target=_url(given.target, "--target"),
        stream=_url(given.stream, "--stream"),
        duration_s=parse_duration_s(
            given.duration, option="--duration", least_s=DURATION_S_MIN, most_s=DURATION_S_MAX
        ),
        sources=_sources(given.source),
        figures=_pairs(given.figure, "--figure", "latency_ms=200"),
        proxies=_pairs(given.proxy, "--proxy", "litecoin-regtest:alice=http://127.0.0.1:40515/alice"),
        devnets=_pairs(given.devnet, "--devnet", "litecoin-regtest=http://127.0.0.1:40516"),
        relay_pid=_pid(given.relay_pid, "--relay-pid"),
        upstream_pids={
            source: _pid(text, "--upstream-pid")
            for source, text in _pairs(given.upstream_pid, "--upstream-pid", "bitcoin:alice=4711").items()
        },
        data_folder=given.data_dir,
        packets=given.packets,
        chains=tuple(dict.fromkeys(given.chain)),
        tier=given.tier,
        breakers=_breakers(given.breakers),
        seed=given.seed,
        recovery_s_max=parse_duration_s(
            given.recovery_sla, option="--recovery-sla", least_s=RECOVERY_S_MIN, most_s=RECOVERY_S_MAX
        ),
        recovery_judged=given.validate,
        blocks_within_s=parse_duration_s(
            given.blocks_within, option="--blocks-within", least_s=0.0, most_s=BLOCKS_WITHIN_S_MAX
        ),
        max_blast_radius=given.max_blast_radius,
        allowed=frozenset(given.allow),
        beside=_url(given.beside, "--beside"),
        journal_folder=given.journal_dir,
    )


def _url(text: str, option: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise ConfigError(f"{option} {text!r}: no URL; write it as http://127.0.0.1:8081")
    return text.rstrip("/")


def _sources(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        chain, colon, name = text.partition(":")
        if not (chain and colon and name):
            raise ConfigError(f"--source {text!r}: write it as CHAIN:NAME, as litecoin-regtest:alice")
    return texts


def _pairs(texts: tuple[str, ...], option: str, example: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise ConfigError(f"{option} {text!r}: write it as {example}")
        if key in pairs:
            raise ConfigError(f"{option} {text!r}: {key} is given twice")
        pairs[key] = value
    return pairs


def _pid(text: str | int, option: str) -> int:
    """Return a pid, or 0 where none was given; never that of init, whose end is everybody's."""
    if text == 0:
        return 0
    word = str(text)
    pid = int(word) if word.isascii() and word.isdigit() and len(word) <= 10 else -1
    if pid <= 1:
        raise ConfigError(f"{option} {text}: no process that may be ended; want a pid above 1")
    return pid


def _refuse_what_is_told_of_another(given: Given) -> None:
    """Refuse what is known of the embedded relay, and what is chosen for it where another one is named."""
    for option, value in (("--data-dir", given.data_dir), ("--packets", given.packets)):
        if value and not given.target:
            raise ConfigError(
                f"{option}: the embedded relay has its own; it is told of one that --target names"
            )
    if given.chain and given.target:
        raise ConfigError("--chain: the relay that --target names has its own; it chooses the embedded one's")


def _breakers(text: str) -> Breakers:
    match text:
        case "on" | "shadow":
            return text
        case _:
            raise ConfigError(
                f"--breakers {text!r}: there is on and shadow, which only says what it would do"
            )
