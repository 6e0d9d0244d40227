"""What happens in one seed of the ten nodes: pure, so that a seed repeats the schedule.

Over sockets no run is the same to the byte; which node shows which fault, when, and how much of it, is.
"""

from __future__ import annotations

from random import Random

import msgspec

from sprint.core.config import ChainSection
from sprint.tools.devnet.faults import LIES, RULES, Fault

NODES = 10
BLOCKS_AT_START = 8
FAULTY_S = 40.0
FAULTS_BESIDE = 4  # of any kind, beside one of each
MININGS = 16
GOSSIP_S = (0.05, 1.0, 8.0)  # how late other nodes learn a block, at most
KINDS_OF_NODES = (*(("p2p",),) * 4, *(("rpc",),) * 2, *(("zmq",),) * 2, ("p2p", "zmq"), ("p2p", "rpc", "zmq"))
CHAINS = ("bitcoin-regtest", "bitcoin-regtest", "litecoin-regtest", "dogecoin-regtest")
NEEDED = {Fault.LOSE: "zmq", Fault.LYING_JSON: "rpc"}
FINALITY_DEPTH = 3
BODY_TIMEOUT_S = 10.0


class Act(msgspec.Struct, frozen=True):
    """One thing that a node does: mine so many blocks where `fault` is None, else show so much of a fault.

    `late_s` is by node when it learns of what was mined, after it was.
    """

    at_s: float
    node: int
    fault: Fault | None
    amount: int
    late_s: tuple[float, ...]


class Plan(msgspec.Struct, frozen=True):
    """A seed's schedule. `sources` are by node the schemes by which the relay follows it."""

    seed: int
    chain: str
    section: ChainSection
    sources: tuple[tuple[str, ...], ...]
    acts: tuple[Act, ...]


def plan_of(seed: int) -> Plan:
    """Draw a schedule: every fault once and some again, on any node that can show it, while all mine."""
    rng = Random(seed)
    sources = rng.sample(KINDS_OF_NODES, NODES)
    faults = [*Fault, *rng.choices(tuple(Fault), k=FAULTS_BESIDE)]
    acts = [_shown(rng, fault, sources) for fault in faults]
    acts += [_act(rng, rng.randrange(NODES), None, rng.choice((1, 1, 1, 2, 3))) for _ in range(MININGS)]
    section = ChainSection(
        finality_depth=FINALITY_DEPTH,
        quorum=rng.choice((1, 1, 2, 3)),
        quorum_wait_ms=rng.choice((50, 500)),
        body_timeout_s=BODY_TIMEOUT_S,
    )
    acts.sort(key=lambda act: act.at_s)
    return Plan(seed, CHAINS[seed % len(CHAINS)], section, tuple(sources), tuple(acts))


def _shown(rng: Random, fault: Fault, sources: list[tuple[str, ...]]) -> Act:
    """Draw who shows a fault. What is told, or how, is seen over P2P alone; a lie is seen everywhere."""
    scheme = NEEDED.get(fault) or ("" if fault in LIES else "p2p")
    able = [node for node, schemes in enumerate(sources) if not scheme or scheme in schemes]
    amount = 1 + rng.randrange(min(2 * RULES[fault].amount_default, RULES[fault].amount_max))
    return _act(rng, rng.choice(able), fault, amount)


def _act(rng: Random, node: int, fault: Fault | None, amount: int) -> Act:
    slowest_s = rng.choice(GOSSIP_S)
    late_s = tuple(round(rng.random() * slowest_s, 3) for _ in range(NODES))
    return Act(round(rng.random() * FAULTY_S, 3), node, fault, amount, late_s)
