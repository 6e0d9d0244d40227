-- An administrator who doesn't let the relay's role make schemas has made them before. IF NOT EXISTS would want
-- that right all the same.
DO $$ BEGIN
    IF to_regnamespace('sprint_core') IS NULL THEN CREATE SCHEMA sprint_core; END IF;
    IF to_regnamespace('sprint_chains') IS NULL THEN CREATE SCHEMA sprint_chains; END IF;
END $$;

-- One row: which log this is, how far it goes, and how it was left. `written` counts the transactions of its
-- writers: by it a writer knows whether its last one got in before the connection broke, and that nobody else
-- has written since. `server_id` names the server, its timeline and this table, which a restored copy hasn't.
CREATE TABLE sprint_core.log (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    log_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    written BIGINT NOT NULL,
    durability TEXT NOT NULL,
    server_id TEXT NOT NULL,
    clean_stop BOOLEAN NOT NULL,
    touched_at_ms BIGINT NOT NULL
);

-- A partition a day, in UTC, made ahead and dropped whole when all in it is too old. `day` never falls while
-- positions grow, whatever the clock does, so that a partition is one unbroken range of positions.
CREATE TABLE sprint_core.events (
    day DATE NOT NULL,
    position BIGINT NOT NULL,
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL,
    type TEXT NOT NULL,
    hash TEXT,
    hash_key BIGINT,
    height BIGINT,
    committed_at_ms BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (day, position)
) PARTITION BY RANGE (day);

-- A unique index of a partitioned table holds within a partition. What holds over all of them stands in tables
-- that have none: the last position in `log`, the last seq in `heads`, a block's one event in `blocks`.
CREATE UNIQUE INDEX events_seq ON sprint_core.events (day, chain, seq);
CREATE UNIQUE INDEX events_block ON sprint_core.events (day, chain, height, hash) WHERE type = 'block';
CREATE INDEX events_hash_key ON sprint_core.events (hash_key) WHERE hash_key IS NOT NULL;

-- The days that have events, each with its first position: where a replay begins, and where the log does.
CREATE TABLE sprint_core.event_days (
    day DATE PRIMARY KEY,
    first_position BIGINT NOT NULL
);

-- `event_day` and `event_position` are the place of the block's event in this log; null until delivered in it.
-- `number` keeps the order in which blocks of one height came.
CREATE TABLE sprint_core.blocks (
    chain TEXT NOT NULL,
    hash BYTEA NOT NULL,
    parent BYTEA NOT NULL,
    height BIGINT NOT NULL,
    work BYTEA NOT NULL,
    header BYTEA NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('anchored', 'held', 'delivered', 'missing', 'told', 'known', 'refused')),
    canonical BOOLEAN NOT NULL,
    record BYTEA NOT NULL,
    event_day DATE,
    event_position BIGINT,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (chain, height, hash)
);
CREATE INDEX blocks_hash ON sprint_core.blocks (hash);

-- `stalled` is the reason of the last chain_status, empty where it said recovered.
CREATE TABLE sprint_core.heads (
    chain TEXT PRIMARY KEY,
    head BYTEA,
    seq BIGINT NOT NULL,
    stalled TEXT NOT NULL
);

CREATE TABLE sprint_chains.parameters (
    chain TEXT PRIMARY KEY,
    genesis BYTEA NOT NULL
);
