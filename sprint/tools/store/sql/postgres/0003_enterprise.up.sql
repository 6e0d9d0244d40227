DO $$ BEGIN
    IF to_regnamespace('sprint_enterprise') IS NULL THEN CREATE SCHEMA sprint_enterprise; END IF;
END $$;

-- A row is a role of the admin API and what it may do, as a JSON list. Nothing fills it yet.
CREATE TABLE sprint_enterprise.roles (
    name TEXT PRIMARY KEY,
    permissions JSONB NOT NULL,
    at_ms BIGINT NOT NULL
);

-- A row is an API key: a prefix to find it by and a keyed hash of it, never the key. Nothing fills it yet.
CREATE TABLE sprint_enterprise.api_keys (
    prefix TEXT PRIMARY KEY,
    key_hash BYTEA NOT NULL,
    name TEXT NOT NULL,
    tier TEXT NOT NULL,
    role TEXT,
    scopes JSONB NOT NULL,
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT,
    revoked_at_ms BIGINT,
    last_used_at_ms BIGINT
);

-- A row is one order given to the relay, also one that was refused: who, from where, what, to what, why, and
-- what came of it. `status` is the HTTP status of the answer; null for what came as a signal or a file.
CREATE TABLE sprint_enterprise.audit_log (
    entry BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    client TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    status BIGINT,
    outcome TEXT NOT NULL
);
CREATE INDEX audit_log_at ON sprint_enterprise.audit_log (at_ms);

-- A row is one node of a peer-to-peer network that the relay knows of. `standing` is served, untried, failed
-- or shut out; it is not tried before `not_before_ms`. `services` are the bits that the node was told to have.
CREATE TABLE sprint_enterprise.peers (
    chain TEXT NOT NULL,
    host TEXT NOT NULL,
    port BIGINT NOT NULL,
    services BIGINT NOT NULL,
    standing TEXT NOT NULL,
    failures BIGINT NOT NULL,
    not_before_ms BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (chain, host, port)
);
CREATE INDEX peers_at ON sprint_enterprise.peers (at_ms);
