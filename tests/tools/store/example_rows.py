"""A relay's tables with ten minutes of a made-up day in them: what the documentation's queries are run on."""

from __future__ import annotations

from sprint.core.relay import record_tables as tables
from sprint.core.relay.records import Record, Value
from sprint.tools.store import Store
from tests.tools.store.commits import Answers, block_commit, log_of, reorg_commit, status_commit

NOON_MS = 1_700_000_400_000
MINUTE_MS = 60_000
CHAIN = "bitcoin"


def fill(store: Store) -> None:
    """Fill a store that was just opened, and close it."""
    answers, log = Answers(), log_of(store)
    store.start(answers)
    commits = [block_commit(log, CHAIN, height) for height in range(840_000, 840_004)]
    commits += [reorg_commit(log, CHAIN, 840_002, 840_003, 840_004, "b"), status_commit(log, CHAIN)]
    for commit in commits:
        store.submit(commit)
    answers.wait_in(len(commits))
    store.submit_records([*_chain_records(), *_operations(), *_minutes()])
    store.close()


def _chain_records() -> list[Record]:
    rows = []
    for step, (hash_start, relay_ms, seen) in enumerate((("a0", 0.8, 3), ("a1", 2.5, 2), ("a2", 1.1, 3))):
        height, at_ms = 840_000 + step, NOON_MS + step * MINUTE_MS
        parent = f"{hash_start[0]}{step - 1}" if step else "9f"
        told = (CHAIN, height, hash_start, parent, at_ms // 1000 - 5, "core-1", relay_ms)
        rows.append(Record(tables.HEADERS, (*told, 2_500 + step, 1_200_000 + step, seen, seen, at_ms)))
    header_only = (CHAIN, 840_003, "a3", "a2", NOON_MS // 1000 + 175, "core-2", 0.4)
    rows.append(Record(tables.HEADERS, (*header_only, None, None, None, None, NOON_MS + 3 * MINUTE_MS)))
    for seq, fork, depth, minute in ((5, 840_002, 1, 3), (9, 840_010, 2, 8)):
        at_ms = NOON_MS + minute * MINUTE_MS
        rows.append(Record(tables.REORGS, (CHAIN, seq, fork, depth, '["a3"]', '["b3", "b4"]', at_ms)))
    return rows


def _operations() -> list[Record]:
    operator = "operator via admin API"
    raced_1, raced_2 = (840_004, 0, 4, 1, 0.0, 100, 5, 0), (840_001, 3, 1, 1, 85.5, 49, 2, 2)
    first = (CHAIN, "core-1", "p2p", "home", "/Satoshi:27.0.0/", "ready", "", *raced_1, 0, 1, 5, "", NOON_MS)
    behind = "behind the other sources for 30 s, limit 30 s"
    second = (CHAIN, "core-2", "rpc", "rented", "", "ready", "", *raced_2, 3, 4, 2, behind, NOON_MS)
    lost = ("dogecoin", "doge-1", "p2p", "home", "", "waiting", "connection refused")
    third = (*lost, *(None,) * 8, 0, 0, 0, "", NOON_MS)
    orders: tuple[tuple[int, tuple[Value, ...]], ...] = (
        (0, ("pause", "/api/sources/bitcoin/core-2/state", "upgrade", 200, "done")),
        (5, ("resume", "/api/sources/bitcoin/core-2/state", "", 200, "done")),
        (7, ("force_open", "/api/breakers/none/state", "", 404, "no breaker 'none'")),
    )
    peers = (
        ("203.0.113.7", 9, "served", 0, 0),
        ("203.0.113.8", 1, "failed", 3, NOON_MS + 240_000),
        ("203.0.113.9", 9, "shut out", 0, NOON_MS + 86_400_000),
    )
    return [
        *(Record(tables.SOURCES, each) for each in (first, second, third)),
        *(
            Record(tables.AUDIT_LOG, (NOON_MS + minute * MINUTE_MS, operator, "127.0.0.1", *order))
            for minute, order in orders
        ),
        *(
            Record(tables.PEERS, (CHAIN, host, 8333, services, standing, failures, not_before, NOON_MS))
            for host, services, standing, failures, not_before in peers
        ),
    ]


def _minutes() -> list[Record]:
    rows = []
    for step in range(3):
        at_ms = NOON_MS + step * MINUTE_MS
        counted = (2 + step, 2, 0, 1, 1 if step == 2 else 0, 2, 840_000 + step, 40 + step)
        rows.append(Record(tables.THROUGHPUT, (at_ms, CHAIN, *counted)))
        for stage, factor in (("proved", 1.0), ("relay", 4.0)):
            shares = (0.16 * factor, 0.32 * factor, 0.64 * factor * (step + 1))
            rows.append(Record(tables.LATENCY, (at_ms, CHAIN, stage, 1 + step, *shares)))
        rows.append(Record(tables.DUPLICATES, (at_ms, CHAIN, "core-1", 2, 0, 0, 0.0)))
        rows.append(Record(tables.DUPLICATES, (at_ms, CHAIN, "core-2", 0, 2 - step, step, 85.5)))
        state = "open" if step == 1 else "closed"
        breaker = ("source:bitcoin:core-2", state, 10, 5 * step, 7 if step == 1 else 0, int(step == 1))
        rows.append(Record(tables.BREAKERS, (at_ms, *breaker)))
        rows.append(Record(tables.BREAKERS, (at_ms, "store", "closed", 60, 0, 0, 0)))
        rows.append(Record(tables.SLA, (at_ms, "turbo", CHAIN, 5.0, 1_000, 1_000 - 5 * step, 2.5)))
        rows.append(Record(tables.SLA, (at_ms, "free", CHAIN, 100.0, 200, 200, 50.0)))
    return rows
