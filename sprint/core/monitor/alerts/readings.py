"""What rules read off a board: figures that their steps are held against.

for reading in readings(board, limits):
    book.take(reading, now_s, unix_s)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sprint.core.breaker.outcomes import State
from sprint.core.breaker.policy import Policy
from sprint.core.monitor.alerts.figures import BREAKER_FIGURES, RELAY_FIGURES, Figure, Seen, state_figure
from sprint.core.monitor.alerts.rules import RULES, Reading, Rule
from sprint.core.monitor.board import Board, Key


def readings(board: Board, limits: Mapping[str, Policy], rules: Sequence[Rule] = RULES) -> Iterator[Reading]:
    """Yield what the rules read now. `limits` are policies by name; a rate has a limit with one of them."""
    of_relays = [(rule, RELAY_FIGURES[rule.reads]) for rule in rules if rule.reads in RELAY_FIGURES]
    of_breakers = [(rule, BREAKER_FIGURES[rule.reads]) for rule in rules if rule.reads in BREAKER_FIGURES]
    for relay in board.relays.values():
        if relay.connection != "connecting":
            for rule, read in of_relays:
                if rule.judges(relay.name):
                    yield Reading(rule, relay.name, "", *read(relay, board))
    for key, row in board.rows.items():
        seen = Seen(key, row, board, limits.get(row.policy))
        for rule, figure in of_breakers:
            if rule.judges(key.relay, key.breaker):
                value, text, undecided = figure(seen)
                believed = value if row.calls >= rule.calls_min else None
                yield Reading(rule, key.relay, key.breaker, believed, text, undecided)


def state_readings(
    key: Key, state: State, reason: str, *, shadow: bool, rules: Sequence[Rule] = RULES
) -> Iterator[Reading]:
    """Yield what the rules of states read of a transition, at once and whatever was called."""
    figure: Figure = state_figure(key, state, reason, shadow=shadow)
    for rule in rules:
        if rule.reads == "state" and rule.judges(key.relay, key.breaker):
            yield Reading(rule, key.relay, key.breaker, *figure)
