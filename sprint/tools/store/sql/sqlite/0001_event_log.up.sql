-- One row: which log this is, how far it goes, and how it was left.
CREATE TABLE sprint_core_log (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    log_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    durability TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    clean_stop INTEGER NOT NULL,
    touched_at_ms INTEGER NOT NULL
);

CREATE TABLE sprint_core_events (
    position INTEGER PRIMARY KEY,
    chain TEXT NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    hash TEXT,
    height INTEGER,
    committed_at_ms INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX sprint_core_events_seq ON sprint_core_events (chain, seq);
-- The last word on "no block twice in a log". Hash first, so that it also finds a block of unknown chain.
CREATE UNIQUE INDEX sprint_core_events_block ON sprint_core_events (hash, chain) WHERE type = 'block';

-- `event_position` is the place of the block's event in this log; null until delivered in it.
CREATE TABLE sprint_core_blocks (
    chain TEXT NOT NULL,
    hash BLOB NOT NULL,
    parent BLOB NOT NULL,
    height INTEGER NOT NULL,
    work BLOB NOT NULL,
    header BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('anchored', 'held', 'delivered', 'missing')),
    canonical INTEGER NOT NULL CHECK (canonical IN (0, 1)),
    record BLOB NOT NULL,
    event_position INTEGER
);
CREATE UNIQUE INDEX sprint_core_blocks_hash ON sprint_core_blocks (chain, hash);
CREATE INDEX sprint_core_blocks_height ON sprint_core_blocks (chain, height);

CREATE TABLE sprint_core_heads (
    chain TEXT PRIMARY KEY,
    head BLOB,
    seq INTEGER NOT NULL
);

CREATE TABLE sprint_chains_parameters (
    chain TEXT PRIMARY KEY,
    genesis BLOB NOT NULL
);
