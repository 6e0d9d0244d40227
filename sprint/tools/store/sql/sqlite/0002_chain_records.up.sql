-- A row is one header that went out to subscribers, as a header or with its whole block. `block_time` is the
-- header's own, in Unix seconds; tx_count and what follows it are null until the block is delivered. Heights
-- grow, so the unique index does at its end; `at_ms` is when the relay noted it.
CREATE TABLE sprint_chains_headers (
    chain TEXT NOT NULL,
    height INTEGER NOT NULL,
    hash TEXT NOT NULL,
    parent TEXT NOT NULL,
    block_time INTEGER NOT NULL,
    source TEXT NOT NULL,
    relay_time_ms REAL NOT NULL,
    tx_count INTEGER,
    size_bytes INTEGER,
    sources_seen INTEGER,
    agreed_by INTEGER,
    at_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX sprint_chains_headers_hash ON sprint_chains_headers (chain, height, hash);
CREATE INDEX sprint_chains_headers_at ON sprint_chains_headers (at_ms);

-- A row is one reorg that was told. `removed` and `added` are JSON lists of hashes as the event has them.
CREATE TABLE sprint_chains_reorgs (
    chain TEXT NOT NULL,
    seq INTEGER NOT NULL,
    fork_height INTEGER NOT NULL,
    depth INTEGER NOT NULL,
    removed TEXT NOT NULL,
    added TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);
CREATE INDEX sprint_chains_reorgs_at ON sprint_chains_reorgs (at_ms);

-- A row is one source of a chain, as it stood at `at_ms`. Counts are since the start of the relay that wrote
-- them. `height` and what follows from the race are null until the source has named a block.
CREATE TABLE sprint_chains_sources (
    chain TEXT NOT NULL,
    name TEXT NOT NULL,
    scheme TEXT NOT NULL,
    provider TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    height INTEGER,
    behind_blocks INTEGER,
    wins INTEGER,
    confirmations INTEGER,
    lag_ms REAL,
    score INTEGER,
    answers INTEGER,
    timeouts INTEGER,
    faults INTEGER NOT NULL,
    connects INTEGER NOT NULL,
    blocks_received INTEGER NOT NULL,
    demoted TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (chain, name)
);
CREATE INDEX sprint_chains_sources_at ON sprint_chains_sources (at_ms);
