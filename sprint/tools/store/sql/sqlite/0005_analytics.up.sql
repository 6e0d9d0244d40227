-- Every table here has one row a minute and thing. `minute_ms` is the minute's beginning in Unix milliseconds.
-- Where a relay was restarted within a minute, counts are added up and of percentiles the highest stays.

-- A row is what a chain's pipeline got through in a minute. `verdicts_known` are bodies that came and had been
-- judged already; `height` is the head's and `subscribers` the relay's, at the minute's end.
CREATE TABLE sprint_analytics_throughput (
    minute_ms INTEGER NOT NULL,
    chain TEXT NOT NULL,
    events INTEGER NOT NULL,
    headers_accepted INTEGER NOT NULL,
    headers_refused INTEGER NOT NULL,
    blocks_accepted INTEGER NOT NULL,
    blocks_refused INTEGER NOT NULL,
    verdicts_known INTEGER NOT NULL,
    height INTEGER NOT NULL,
    subscribers INTEGER NOT NULL,
    PRIMARY KEY (minute_ms, chain)
);

-- A row is how long a chain's blocks took to a stage from the one before, or all the way (`relay`), in a minute
-- with blocks. Percentiles are upper bounds: those of the histogram's buckets.
CREATE TABLE sprint_analytics_latency (
    minute_ms INTEGER NOT NULL,
    chain TEXT NOT NULL,
    stage TEXT NOT NULL,
    blocks INTEGER NOT NULL,
    p50_ms REAL,
    p95_ms REAL,
    p99_ms REAL,
    PRIMARY KEY (minute_ms, chain, stage)
);

-- A row is what a source announced in a minute: its `wins`, blocks it was first with, and those that another had
-- announced before, its `duplicates`. `lag_ms` is its average lag behind the first, at the minute's end.
CREATE TABLE sprint_analytics_duplicates (
    minute_ms INTEGER NOT NULL,
    chain TEXT NOT NULL,
    source TEXT NOT NULL,
    wins INTEGER NOT NULL,
    duplicates INTEGER NOT NULL,
    timeouts INTEGER NOT NULL,
    lag_ms REAL,
    PRIMARY KEY (minute_ms, chain, source)
);

-- A row is a breaker: its state at the minute's end, and how calls through it ended within the minute.
CREATE TABLE sprint_analytics_breakers (
    minute_ms INTEGER NOT NULL,
    breaker TEXT NOT NULL,
    state TEXT NOT NULL,
    successes INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    PRIMARY KEY (minute_ms, breaker)
);

-- A row is how a tier's goal for delivery was met for a chain's events, in a minute with deliveries.
CREATE TABLE sprint_analytics_sla (
    minute_ms INTEGER NOT NULL,
    tier TEXT NOT NULL,
    chain TEXT NOT NULL,
    goal_ms REAL NOT NULL,
    deliveries INTEGER NOT NULL,
    within_goal INTEGER NOT NULL,
    p99_ms REAL,
    PRIMARY KEY (minute_ms, tier, chain)
);
