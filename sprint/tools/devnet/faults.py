"""Which faults a devnet node can be made to show, and when it shows them by itself: a schedule out of a seed.

Pure: the schedule follows from its seed alone. `node` acts on the faults of what is told, `line` and the
listeners on those of how it is carried. Each undoes itself, so a node that was made to lie or to stall is a
good one again later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from sprint.core.errors import ConfigError
from sprint.tools.devnet.ledger import RandomBits

FALSE_BLOCK_KEPT_S = 2.0  # then the node drops it, and mines on the block below it
DRIP_S = 5.0
DELAY_LASTS_S = 10.0
CLOCK_SKEW_LASTS_S = 30.0
PAUSE_MIN_S = 3.0  # between two faults of a schedule
PAUSE_MAX_S = 15.0
# A source that lied is shut out for ten seconds and more, and for twice that if it lies soon after.
LIE_PAUSE_S = 180.0


class Fault(StrEnum):
    """What goes wrong. The amount that each takes stands in `RULES`."""

    DUPLICATE = "duplicate"
    REORDER = "reorder"
    REPLAY = "replay"
    FORK = "fork"
    SHORT_FORK = "short_fork"
    WRONG_PARENT = "wrong_parent"
    BAD_MERKLE = "bad_merkle"
    BAD_PROOF = "bad_proof"
    DELAY = "delay"
    STALL = "stall"
    DRIP = "drip"
    DISCONNECT = "disconnect"
    LOSE = "lose"
    LYING_JSON = "lying_json"
    CLOCK_AHEAD = "clock_ahead"
    CLOCK_BEHIND = "clock_behind"


LIES = frozenset({Fault.BAD_MERKLE, Fault.BAD_PROOF})
LIES_OF_ANY_KIND = LIES | {Fault.LYING_JSON}
# What they do to a chain's times outlasts them, so that no schedule shows them.
OF_THE_CLOCK = frozenset({Fault.CLOCK_AHEAD, Fault.CLOCK_BEHIND})
# Of sockets and the clock, which a node without an edge has not.
OF_THE_EDGE = OF_THE_CLOCK | {
    Fault.DELAY,
    Fault.STALL,
    Fault.DRIP,
    Fault.DISCONNECT,
    Fault.LOSE,
    Fault.LYING_JSON,
}
SCHEDULED = tuple(fault for fault in Fault if fault not in OF_THE_CLOCK)


class FaultRules(msgspec.Struct, frozen=True):
    """What a fault does and how much of it there may be; `amount_max` 1 takes no amount."""

    says: str
    amount_default: int = 1
    amount_max: int = 1


RULES: dict[Fault, FaultRules] = {
    Fault.DUPLICATE: FaultRules("the newest N blocks are announced again", 1, 100),
    Fault.REORDER: FaultRules("N new blocks are announced newest first, one by one", 3, 8),
    Fault.REPLAY: FaultRules("the last N heads are announced again one by one, oldest first", 6, 100),
    Fault.FORK: FaultRules("the newest N blocks are replaced by a branch with more work", 1, 100),
    Fault.SHORT_FORK: FaultRules("a branch with less work than the newest N blocks is announced", 3, 100),
    Fault.WRONG_PARENT: FaultRules("a header is announced whose parent does not exist"),
    Fault.BAD_MERKLE: FaultRules("a block is served whose transactions are not those of its header"),
    Fault.BAD_PROOF: FaultRules("a header is announced that has done no work"),
    Fault.DELAY: FaultRules(f"for {DELAY_LASTS_S:g} s all that is sent is N ms late", 300, 10_000),
    Fault.STALL: FaultRules("nothing is sent for N s, while connections stay open", 5, 600),
    Fault.DRIP: FaultRules(f"for {DRIP_S:g} s no more than N bytes a second are sent", 2_000, 1_000_000),
    Fault.DISCONNECT: FaultRules("all connections are cut"),
    Fault.LOSE: FaultRules("the next N messages of its ZMQ publisher are numbered and not sent", 3, 1_000),
    Fault.LYING_JSON: FaultRules("for N s its JSON-RPC gives another block's bytes", 2, 600),
    Fault.CLOCK_AHEAD: FaultRules(
        f"for {CLOCK_SKEW_LASTS_S:g} s its clock, and so its blocks' time, is N s ahead", 600, 20_000
    ),
    Fault.CLOCK_BEHIND: FaultRules(f"for {CLOCK_SKEW_LASTS_S:g} s its clock is N s behind", 600, 20_000),
}


class PlannedFault(msgspec.Struct, frozen=True):
    """One fault of a schedule; `at_s` counts from the schedule's start."""

    at_s: float
    fault: Fault
    amount: int


class FaultInForce(msgspec.Struct, frozen=True):
    """A fault that has not undone itself yet. `left_s` is None where it ends by no clock."""

    fault: Fault
    amount: int
    left_s: float | None


class FaultsInForce:
    """The faults of one node that last for a time; a later one of a kind takes the earlier one's place."""

    def __init__(self) -> None:
        self._shown: dict[Fault, tuple[int, float]] = {}  # how much of it, and until when

    def __repr__(self) -> str:
        return f"FaultsInForce({', '.join(self._shown)})"

    def note(self, fault: Fault, amount: int, now: float) -> None:
        """Note that a fault is shown; one that is over at once is not kept."""
        lasts_s = _lasts_s(fault, amount)
        if lasts_s:
            self._shown[fault] = (amount, now + lasts_s)

    def end(self, fault: Fault) -> None:
        """Note that a fault is over; nothing happens where it was."""
        self._shown.pop(fault, None)

    def now(self, now: float) -> list[FaultInForce]:
        """Return those that are not over at `now`."""
        return [
            FaultInForce(fault, amount, round(until - now, 3))
            for fault, (amount, until) in self._shown.items()
            if until > now
        ]


def _lasts_s(fault: Fault, amount: int) -> float:
    match fault:
        case Fault.STALL | Fault.LYING_JSON:
            return amount
        case Fault.DELAY:
            return DELAY_LASTS_S
        case Fault.DRIP:
            return DRIP_S
        case Fault.BAD_MERKLE | Fault.BAD_PROOF:
            return FALSE_BLOCK_KEPT_S
        case Fault.CLOCK_AHEAD | Fault.CLOCK_BEHIND:
            return CLOCK_SKEW_LASTS_S
        case _:
            return 0.0


def fault_of(kind: str) -> Fault:
    """Read the kind of a fault; ConfigError says which there are."""
    if kind not in tuple(Fault):
        raise ConfigError(f"no fault {kind[:80]!r}; there is {', '.join(Fault)}")
    return Fault(kind)


def checked_amount(fault: Fault, amount: int | None) -> int:
    """Return the amount, or the fault's own where none is given; ConfigError beyond its limit."""
    rules = RULES[fault]
    if amount is None:
        return rules.amount_default
    if not 1 <= amount <= rules.amount_max:
        raise ConfigError(f"{fault} {amount}: the amount is 1 to {rules.amount_max} ({rules.says})")
    return amount


def schedule(rng: RandomBits, kinds: Sequence[Fault] = SCHEDULED) -> Iterator[PlannedFault]:
    """Yield faults of these kinds without end, each later than the one before; the same bits, the same."""
    at_s, lied_at_s = 0.0, -LIE_PAUSE_S
    while True:
        at_s += PAUSE_MIN_S + (PAUSE_MAX_S - PAUSE_MIN_S) * rng.getrandbits(16) / (1 << 16)
        fault = kinds[rng.getrandbits(32) % len(kinds)]
        share = rng.getrandbits(32)
        if fault in LIES_OF_ANY_KIND:
            if at_s - lied_at_s < LIE_PAUSE_S:
                continue
            lied_at_s = at_s
        # At most twice its default, so that what is planned can be got over within its pause.
        amount = 1 + share % min(2 * RULES[fault].amount_default, RULES[fault].amount_max)
        yield PlannedFault(round(at_s, 3), fault, amount)
