"""The tables that the relay fills beside its log. Their SQL is in `tools/store/sql`, 0002 to 0005.

A test holds the columns here against those of a migrated database, of either kind.
"""

from __future__ import annotations

from sprint.core.relay.records import RecordTable

HEADERS = RecordTable(
    name="sprint_chains_headers",
    columns=(
        "chain",
        "height",
        "hash",
        "parent",
        "block_time",
        "source",
        "relay_time_ms",
        "tx_count",
        "size_bytes",
        "sources_seen",
        "agreed_by",
        "at_ms",
    ),
    key=("chain", "height", "hash"),
    kept=("tx_count", "size_bytes", "sources_seen", "agreed_by"),
    at="at_ms",
)
REORGS = RecordTable(
    name="sprint_chains_reorgs",
    columns=("chain", "seq", "fork_height", "depth", "removed", "added", "at_ms"),
    at="at_ms",
)
SOURCES = RecordTable(
    name="sprint_chains_sources",
    columns=(
        "chain",
        "name",
        "scheme",
        "provider",
        "user_agent",
        "state",
        "reason",
        "height",
        "behind_blocks",
        "wins",
        "confirmations",
        "lag_ms",
        "score",
        "answers",
        "timeouts",
        "faults",
        "connects",
        "blocks_received",
        "demoted",
        "at_ms",
    ),
    key=("chain", "name"),
    at="at_ms",
)
AUDIT_LOG = RecordTable(
    name="sprint_enterprise_audit_log",
    columns=("at_ms", "actor", "client", "action", "target", "reason", "status", "outcome"),
    at="at_ms",
    keep="audit",
)
PEERS = RecordTable(
    name="sprint_enterprise_peers",
    columns=("chain", "host", "port", "services", "standing", "failures", "not_before_ms", "at_ms"),
    key=("chain", "host", "port"),
    at="at_ms",
)
THROUGHPUT = RecordTable(
    name="sprint_analytics_throughput",
    columns=(
        "minute_ms",
        "chain",
        "events",
        "headers_accepted",
        "headers_refused",
        "blocks_accepted",
        "blocks_refused",
        "verdicts_known",
        "height",
        "subscribers",
    ),
    key=("minute_ms", "chain"),
    added=(
        "events",
        "headers_accepted",
        "headers_refused",
        "blocks_accepted",
        "blocks_refused",
        "verdicts_known",
    ),
    at="minute_ms",
)
LATENCY = RecordTable(
    name="sprint_analytics_latency",
    columns=("minute_ms", "chain", "stage", "blocks", "p50_ms", "p95_ms", "p99_ms"),
    key=("minute_ms", "chain", "stage"),
    added=("blocks",),
    highest=("p50_ms", "p95_ms", "p99_ms"),
    at="minute_ms",
)
DUPLICATES = RecordTable(
    name="sprint_analytics_duplicates",
    columns=("minute_ms", "chain", "source", "wins", "duplicates", "timeouts", "lag_ms"),
    key=("minute_ms", "chain", "source"),
    added=("wins", "duplicates", "timeouts"),
    at="minute_ms",
)
BREAKERS = RecordTable(
    name="sprint_analytics_breakers",
    columns=("minute_ms", "breaker", "state", "successes", "failures", "rejected", "opened"),
    key=("minute_ms", "breaker"),
    added=("successes", "failures", "rejected", "opened"),
    at="minute_ms",
)
SLA = RecordTable(
    name="sprint_analytics_sla",
    columns=("minute_ms", "tier", "chain", "goal_ms", "deliveries", "within_goal", "p99_ms"),
    key=("minute_ms", "tier", "chain"),
    added=("deliveries", "within_goal"),
    highest=("p99_ms",),
    at="minute_ms",
)
RECORD_TABLES: tuple[RecordTable, ...] = (
    HEADERS,
    REORGS,
    SOURCES,
    AUDIT_LOG,
    PEERS,
    THROUGHPUT,
    LATENCY,
    DUPLICATES,
    BREAKERS,
    SLA,
)
