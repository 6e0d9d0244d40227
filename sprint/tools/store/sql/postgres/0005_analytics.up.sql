DO $$ BEGIN
    IF to_regnamespace('sprint_analytics') IS NULL THEN CREATE SCHEMA sprint_analytics; END IF;
END $$;

-- Every table here has one row a minute and thing. `minute_ms` is the minute's beginning in Unix milliseconds.
-- Where a relay was restarted within a minute, counts are added up and of percentiles the highest stays.

-- A row is what a chain's pipeline got through in a minute. `verdicts_known` are bodies that came and had been
-- judged already; `height` is the head's and `subscribers` the relay's, at the minute's end.
CREATE TABLE sprint_analytics.throughput (
    minute_ms BIGINT NOT NULL,
    chain TEXT NOT NULL,
    events BIGINT NOT NULL,
    headers_accepted BIGINT NOT NULL,
    headers_refused BIGINT NOT NULL,
    blocks_accepted BIGINT NOT NULL,
    blocks_refused BIGINT NOT NULL,
    verdicts_known BIGINT NOT NULL,
    height BIGINT NOT NULL,
    subscribers BIGINT NOT NULL,
    PRIMARY KEY (minute_ms, chain)
);

-- A row is how long a chain's blocks took to a stage from the one before, or all the way (`relay`), in a minute
-- with blocks. Percentiles are upper bounds: those of the histogram's buckets.
CREATE TABLE sprint_analytics.latency (
    minute_ms BIGINT NOT NULL,
    chain TEXT NOT NULL,
    stage TEXT NOT NULL,
    blocks BIGINT NOT NULL,
    p50_ms DOUBLE PRECISION,
    p95_ms DOUBLE PRECISION,
    p99_ms DOUBLE PRECISION,
    PRIMARY KEY (minute_ms, chain, stage)
);

-- A row is what a source announced in a minute: its `wins`, blocks it was first with, and those that another had
-- announced before, its `duplicates`. `lag_ms` is its average lag behind the first, at the minute's end.
CREATE TABLE sprint_analytics.duplicates (
    minute_ms BIGINT NOT NULL,
    chain TEXT NOT NULL,
    source TEXT NOT NULL,
    wins BIGINT NOT NULL,
    duplicates BIGINT NOT NULL,
    timeouts BIGINT NOT NULL,
    lag_ms DOUBLE PRECISION,
    PRIMARY KEY (minute_ms, chain, source)
);

-- A row is a breaker: its state at the minute's end, and how calls through it ended within the minute.
CREATE TABLE sprint_analytics.breakers (
    minute_ms BIGINT NOT NULL,
    breaker TEXT NOT NULL,
    state TEXT NOT NULL,
    successes BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    opened BIGINT NOT NULL,
    PRIMARY KEY (minute_ms, breaker)
);

-- A row is how a tier's goal for delivery was met for a chain's events, in a minute with deliveries.
CREATE TABLE sprint_analytics.sla (
    minute_ms BIGINT NOT NULL,
    tier TEXT NOT NULL,
    chain TEXT NOT NULL,
    goal_ms DOUBLE PRECISION NOT NULL,
    deliveries BIGINT NOT NULL,
    within_goal BIGINT NOT NULL,
    p99_ms DOUBLE PRECISION,
    PRIMARY KEY (minute_ms, tier, chain)
);
