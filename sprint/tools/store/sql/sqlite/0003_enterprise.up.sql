-- A row is a role of the admin API and what it may do, as a JSON list. Nothing fills it yet.
CREATE TABLE sprint_enterprise_roles (
    name TEXT PRIMARY KEY,
    permissions TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);

-- A row is an API key: a prefix to find it by and a keyed hash of it, never the key. Nothing fills it yet.
CREATE TABLE sprint_enterprise_api_keys (
    prefix TEXT PRIMARY KEY,
    key_hash BLOB NOT NULL,
    name TEXT NOT NULL,
    tier TEXT NOT NULL,
    role TEXT,
    scopes TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    revoked_at_ms INTEGER,
    last_used_at_ms INTEGER
);

-- A row is one order given to the relay, also one that was refused: who, from where, what, to what, why, and
-- what came of it. `status` is the HTTP status of the answer; null for what came as a signal or a file.
CREATE TABLE sprint_enterprise_audit_log (
    entry INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    client TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    status INTEGER,
    outcome TEXT NOT NULL
);
CREATE INDEX sprint_enterprise_audit_log_at ON sprint_enterprise_audit_log (at_ms);

-- A row is one node of a peer-to-peer network that the relay knows of. `standing` is served, untried, failed
-- or shut out; it is not tried before `not_before_ms`. `services` are the bits that the node was told to have.
CREATE TABLE sprint_enterprise_peers (
    chain TEXT NOT NULL,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    services INTEGER NOT NULL,
    standing TEXT NOT NULL,
    failures INTEGER NOT NULL,
    not_before_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (chain, host, port)
);
CREATE INDEX sprint_enterprise_peers_at ON sprint_enterprise_peers (at_ms);
