"""Runs as they may go, made up to the second: what the facts, the score and the advice are tried on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from sprint.core.chaos.advice import Value
from sprint.core.chaos.facts import Facts, FaultSpan, facts_of
from sprint.core.chaos.observation import (
    BlockSeen,
    BreakerSeen,
    EventSeen,
    Observed,
    Phases,
    Sample,
    SourceSeen,
    SubscriberLoss,
    TransitionSeen,
)
from sprint.core.chaos.stream_check import StreamCheck, StreamVerdict
from sprint.core.chaos.topology import BlastRadius, DependencyMap, MappedSource, MappedTier

CHAIN = "litecoin-regtest"
NAMES = ("alice", "bob", "carol")
INJECTED_S, REMOVED_S, END_S = 10.0, 40.0, 60.0
PREDICTED = BlastRadius(
    sources=(f"{CHAIN}:alice",), breakers=(f"source:{CHAIN}:alice",), chains_weakened=(CHAIN,)
)


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to alice, whom a fault is aimed at, and to the others. Times of the run; None: never."""

    kind: str = "freeze"
    opens_s: float | None = 24.0
    shows_s: float | None = 24.0
    closes_s: float | None = 42.0
    steady_s: float | None = 41.0
    removed_s: float | None = REMOVED_S
    shadow: bool = False
    bystanders_lost: int = 0
    false_opens: int = 0
    subscriber_losses: int = 0
    unanswered: int = 0
    blocks_lost: int = 0
    blocks_twice: int = 0
    chain_stops: bool = False


def breaker(name: str) -> str:
    return f"source:{CHAIN}:{name}"


def fault(story: Story) -> FaultSpan:
    return FaultSpan(
        fault=1,
        kind=story.kind,
        target=breaker("alice"),
        says="alice is frozen",
        ttl_s=60.0,
        injected_s=INJECTED_S,
        removed_s=story.removed_s,
        removed_by="tool",
        sources=PREDICTED.sources,
        breakers=PREDICTED.breakers,
    )


def within(at_s: float, from_s: float | None, to_s: float | None) -> bool:
    return from_s is not None and from_s <= at_s and (to_s is None or at_s < to_s)


def sample(story: Story, at_s: float) -> Sample:
    faulty = INJECTED_S <= at_s < REMOVED_S
    lost = set(NAMES[1 : 1 + story.bystanders_lost]) if faulty else set()
    lost |= {"alice"} if within(at_s, story.shows_s, story.closes_s) else set()
    is_open = within(at_s, story.opens_s, story.closes_s)
    unanswered = INJECTED_S <= at_s < INJECTED_S + story.unanswered
    if unanswered:
        return Sample(at_s, answered=False)
    return Sample(
        at_s,
        answered=True,
        health="degraded" if is_open else "ok",
        heights={CHAIN: int(at_s)},
        sources=tuple(SourceSeen(CHAIN, n, "waiting" if n in lost else "ready", "") for n in NAMES),
        breakers=tuple(
            BreakerSeen(breaker(n), "open" if n == "alice" and is_open else "closed", "", "", story.shadow)
            for n in NAMES
        ),
    )


def events(story: Story) -> list[EventSeen]:
    """One block a second, with what is lost or comes twice at the end."""
    found: list[EventSeen] = []
    seconds = [s for s in range(1, 60) if not (story.chain_stops and INJECTED_S <= s <= REMOVED_S)]
    for height, at_s in enumerate(seconds, start=1):
        place = height + story.blocks_lost if height > 50 else height
        found.append(BlockSeen(at_s, CHAIN, height, f"{place:04x}", f"{place - 1:04x}", place))
    last = found[-1]
    assert isinstance(last, BlockSeen)
    found += [
        msgspec.structs.replace(last, position=last.position + n + 1) for n in range(story.blocks_twice)
    ]
    return found


def transitions(story: Story) -> list[TransitionSeen]:
    name, text = breaker("alice"), "3 failures in a row, limit 3"
    found = [
        TransitionSeen(5.0 + n / 10, breaker("bob"), "closed", "open", text, "consecutive_failures")
        for n in range(story.false_opens)
    ]
    if story.opens_s is not None:
        found.append(
            TransitionSeen(story.opens_s, name, "closed", "open", text, "consecutive_failures", story.shadow)
        )
        if story.closes_s is not None:
            found.append(
                TransitionSeen(story.closes_s, name, "half_open", "closed", "", "trials", story.shadow)
            )
    return found


def stream_of(events: Sequence[EventSeen]) -> StreamVerdict:
    check = StreamCheck()
    for event in events:
        check.add(event)
    return check.verdict()


def observed(story: Story) -> Observed:
    return Observed(
        Phases(0.0, INJECTED_S, story.removed_s, story.steady_s, END_S),
        tuple(sample(story, tick / 5) for tick in range(300)),
        tuple(transitions(story)),
        tuple(each for each in events(story) if isinstance(each, BlockSeen)),
        tuple(SubscriberLoss(INJECTED_S + 1 + n, "cut") for n in range(story.subscriber_losses)),
    )


@lru_cache(maxsize=64)
def facts(story: Story, sla_s: float = 5.0) -> Facts:
    return facts_of(observed(story), [fault(story)], PREDICTED, stream_of(events(story)), sla_s=sla_s)


def dependencies() -> DependencyMap:
    return DependencyMap(
        "http://127.0.0.1:8081",
        tuple(
            MappedSource(CHAIN, n, f"p2p://127.0.0.1:{i}", f"127.0.0.1:{i}", n, breaker(n), usable=True)
            for i, n in enumerate(NAMES, start=1)
        ),
        (MappedTier("turbo", "http://127.0.0.1:8080", 1),),
        tuple(breaker(n) for n in NAMES),
    )


PACKAGED: dict[str, Value] = {
    "failures_to_open": 3,
    "failure_rate_max": 0.5,
    "slow_rate_max": None,
    "shadow": False,
    "backoff.base_s": 1.0,
    "backoff.longest_s": 30.0,
}


def policies(**figures: Value) -> dict[str, dict[str, Value]]:
    """Return what a relay's breakers go by as packaged, with figures laid over (`backoff__base_s`)."""
    changed = {name.replace("__", "."): value for name, value in figures.items()}
    return {breaker(name): PACKAGED | changed for name in NAMES}
