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

-- A hash is spread evenly, so an index that begins with one touches a page of its own for every row, and
-- that costs more than all the rest of a commit. The unique indexes therefore begin with what grows; a hash
-- belongs to one height, so (chain, height, hash) is as unique as (chain, hash). `hash_key`, 32 bits of a
-- block's hash, is what a block is found by; null for other events.
CREATE TABLE sprint_core_events (
    position INTEGER PRIMARY KEY,
    chain TEXT NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    hash TEXT,
    hash_key INTEGER,
    height INTEGER,
    committed_at_ms INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX sprint_core_events_seq ON sprint_core_events (chain, seq);
CREATE UNIQUE INDEX sprint_core_events_block ON sprint_core_events (chain, height, hash) WHERE type = 'block';
CREATE INDEX sprint_core_events_hash_key ON sprint_core_events (hash_key) WHERE hash_key IS NOT NULL;

-- `event_position` is the place of the block's event in this log; null until delivered in it.
CREATE TABLE sprint_core_blocks (
    chain TEXT NOT NULL,
    hash BLOB NOT NULL,
    parent BLOB NOT NULL,
    height INTEGER NOT NULL,
    work BLOB NOT NULL,
    header BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('anchored', 'held', 'delivered', 'missing', 'told', 'known', 'refused')),
    canonical INTEGER NOT NULL CHECK (canonical IN (0, 1)),
    record BLOB NOT NULL,
    event_position INTEGER
);
CREATE UNIQUE INDEX sprint_core_blocks_hash ON sprint_core_blocks (chain, height, hash);

-- `stalled` is the reason of the last chain_status, empty where it said recovered.
CREATE TABLE sprint_core_heads (
    chain TEXT PRIMARY KEY,
    head BLOB,
    seq INTEGER NOT NULL,
    stalled TEXT NOT NULL
);

CREATE TABLE sprint_chains_parameters (
    chain TEXT PRIMARY KEY,
    genesis BLOB NOT NULL
);
