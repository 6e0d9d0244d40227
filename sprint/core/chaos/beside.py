"""A second relay on which nothing was put, held beside the first over the same time.

What shows in both is not the fault's alone: the machine, the nodes or the network did it too, or the fault
reaches further than the relay that it was put on. It judges nothing, and changes neither score nor verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

import msgspec

from sprint.core.chaos.bystanders import USABLE_STATES
from sprint.core.chaos.observation import Observed

# Of fewer blocks that both gave nothing is said of how much later one gave them.
COMMON_BLOCKS_MIN = 5
# One at each end of the time may be given within it by one relay and just outside by the other.
EDGE_BLOCKS = 2
NAMES_MAX = 64
_HEALTH_ORDER = ("ok", "degraded", "failing")

# From when until when, in seconds of a run's clock.
Span = tuple[float, float]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one relay showed while faults were on.

    `health` is the worst that was seen, `blocks` how many were delivered by chain, `lost` how often the
    subscriber lost its connection, `answered_share` the share of samples, 0 to 1, that it answered.
    """

    samples: int = 0
    answered_share: float = 1.0
    health: str = ""
    not_ready: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    blocks: dict[str, int] = {}
    lost: int = 0
    stream_findings: int = 0


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Both relays over the time of the faults, `from_s` to `to_s`, and what that says.

    `common_blocks` came of both; `later_ms` is by how much the first gave them later, the median, below 0
    earlier: `later_before_ms` of those before the faults. None where too few were common. `in_both` and
    `differed` are sentences.
    """

    admin_url: str
    api_url: str
    from_s: float
    to_s: float
    subject: Side
    control: Side
    common_blocks: int = 0
    later_before_ms: float | None = None
    later_ms: float | None = None
    in_both: tuple[str, ...] = ()
    differed: tuple[str, ...] = ()


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one relay. `ahead_s`: by how much the clock of the run is ahead of this one's own."""

    observed: Observed
    stream_findings: Sequence[float] = ()
    ahead_s: float = 0.0


class Where(msgspec.Struct, frozen=True):
    """Where the second relay answers."""

    admin_url: str
    api_url: str


def beside_of(where: Where, subject: Watched, control: Watched, span: Span) -> Beside:
    """Hold two relays beside each other over a span of the run's clock."""
    one, other = _side(subject, span), _side(control, span)
    before = _later_ms(subject, control, (float("-inf"), span[0]))
    during = _later_ms(subject, control, span)
    both, differed = _told(one, other)
    return Beside(
        admin_url=where.admin_url,
        api_url=where.api_url,
        from_s=span[0],
        to_s=span[1],
        subject=one,
        control=other,
        common_blocks=len(during),
        later_before_ms=_median(before),
        later_ms=_median(during),
        in_both=both,
        differed=(*differed, *_told_latency(_median(before), _median(during))),
    )


def _side(watched: Watched, span: Span) -> Side:
    def within(at_s: float) -> bool:
        return span[0] <= at_s + watched.ahead_s <= span[1]

    observed = watched.observed
    samples = [each for each in observed.samples if within(each.at_s)]
    answered = [each for each in samples if each.answered]
    not_ready = {
        f"{source.chain}:{source.name}"
        for sample in answered
        for source in sample.sources
        if source.state not in USABLE_STATES
    }
    opened = {
        each.breaker
        for each in observed.transitions
        if each.after == "open" and not each.shadow and within(each.at_s)
    }
    blocks: dict[str, int] = {}
    for block in observed.blocks:
        if within(block.at_s):
            blocks[block.chain] = blocks.get(block.chain, 0) + 1
    return Side(
        samples=len(samples),
        answered_share=len(answered) / len(samples) if samples else 1.0,
        health=max((each.health for each in answered), key=_grave, default=""),
        not_ready=tuple(sorted(not_ready)[:NAMES_MAX]),
        opened=tuple(sorted(opened)[:NAMES_MAX]),
        blocks=blocks,
        lost=sum(within(each.at_s) for each in observed.subscriber_losses),
        stream_findings=sum(within(at_s) for at_s in watched.stream_findings),
    )


def _grave(health: str) -> int:
    """Return how grave a health is; one that isn't known is as grave as any."""
    return _HEALTH_ORDER.index(health) if health in _HEALTH_ORDER else len(_HEALTH_ORDER)


def _later_ms(subject: Watched, control: Watched, span: Span) -> list[float]:
    """Return of each block that both gave, by when the second gave it, how much later the first did."""
    given = {
        (block.chain, block.hash): block.at_s + subject.ahead_s for block in reversed(subject.observed.blocks)
    }
    found: dict[tuple[str, str], float] = {}
    for block in control.observed.blocks:
        key, at_s = (block.chain, block.hash), block.at_s + control.ahead_s
        if key in given and key not in found and span[0] <= at_s <= span[1]:
            found[key] = (given[key] - at_s) * 1000
    return list(found.values())


def _median(values: Sequence[float]) -> float | None:
    return None if len(values) < COMMON_BLOCKS_MIN else median(values)


# What may show of a relay: in words, and how it is told of one side; nothing where it does not show.
_SIGNS: Mapping[str, Callable[[Side], str]] = {
    "health": lambda side: "" if side.health in {"", "ok"} else side.health,
    "sources not ready": lambda side: ", ".join(side.not_ready),
    "breakers that opened": lambda side: ", ".join(side.opened),
    "samples without an answer": lambda side: _share_text(side.answered_share),
    "connections of the subscriber that were lost": lambda side: str(side.lost or ""),
    "findings in the stream": lambda side: str(side.stream_findings or ""),
}


def _share_text(answered_share: float) -> str:
    return "" if answered_share == 1.0 else f"{1 - answered_share:.0%}"


def _told(one: Side, other: Side) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return sentences on what shows in both, and on what shows in one of them alone."""
    both, differed = [], []
    for name, shown in _SIGNS.items():
        here, there = shown(one), shown(other)
        if here and there:
            both.append(f"{name}: {here}; beside it {there}: not the fault's alone")
        elif here or there:
            differed.append(f"{name}: {here or 'none'}; beside it {there or 'none'}")
    for chain in sorted(one.blocks.keys() | other.blocks.keys()):
        here_blocks, there_blocks = one.blocks.get(chain, 0), other.blocks.get(chain, 0)
        if abs(here_blocks - there_blocks) > EDGE_BLOCKS:
            differed.append(f"blocks of {chain}: {here_blocks}; beside it {there_blocks}")
    return tuple(both), tuple(differed)


def _told_latency(before_ms: float | None, during_ms: float | None) -> tuple[str, ...]:
    if during_ms is None:
        return ()
    before = "" if before_ms is None else f", before the faults {before_ms:.1f} ms"
    return (f"blocks of both came {during_ms:.1f} ms later than beside it, the median{before}",)
