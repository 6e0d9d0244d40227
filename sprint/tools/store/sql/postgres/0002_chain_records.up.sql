-- A row is one header that went out to subscribers, as a header or with its whole block. `block_time` is the
-- header's own, in Unix seconds; tx_count and what follows it are null until the block is delivered. Heights
-- grow, so the unique index does at its end; `at_ms` is when the relay noted it.
CREATE TABLE sprint_chains.headers (
    chain TEXT NOT NULL,
    height BIGINT NOT NULL,
    hash TEXT NOT NULL,
    parent TEXT NOT NULL,
    block_time BIGINT NOT NULL,
    source TEXT NOT NULL,
    relay_time_ms DOUBLE PRECISION NOT NULL,
    tx_count BIGINT,
    size_bytes BIGINT,
    sources_seen BIGINT,
    agreed_by BIGINT,
    at_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX headers_hash ON sprint_chains.headers (chain, height, hash);
CREATE INDEX headers_at ON sprint_chains.headers (at_ms);

-- A row is one reorg that was told. `removed` and `added` are JSON lists of hashes as the event has them.
CREATE TABLE sprint_chains.reorgs (
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL,
    fork_height BIGINT NOT NULL,
    depth BIGINT NOT NULL,
    removed JSONB NOT NULL,
    added JSONB NOT NULL,
    at_ms BIGINT NOT NULL
);
CREATE INDEX reorgs_at ON sprint_chains.reorgs (at_ms);

-- A row is one source of a chain, as it stood at `at_ms`. Counts are since the start of the relay that wrote
-- them. `height` and what follows from the race are null until the source has named a block.
CREATE TABLE sprint_chains.sources (
    chain TEXT NOT NULL,
    name TEXT NOT NULL,
    scheme TEXT NOT NULL,
    provider TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    height BIGINT,
    behind_blocks BIGINT,
    wins BIGINT,
    confirmations BIGINT,
    lag_ms DOUBLE PRECISION,
    score BIGINT,
    answers BIGINT,
    timeouts BIGINT,
    faults BIGINT NOT NULL,
    connects BIGINT NOT NULL,
    blocks_received BIGINT NOT NULL,
    demoted TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (chain, name)
);
CREATE INDEX sources_at ON sprint_chains.sources (at_ms);
