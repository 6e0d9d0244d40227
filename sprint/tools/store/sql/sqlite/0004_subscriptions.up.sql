-- A row is a durable subscription: its filter, as JSON lists that are empty for all. Nothing fills it yet.
CREATE TABLE sprint_core_subscriptions (
    subscription TEXT PRIMARY KEY,
    tier TEXT NOT NULL,
    chains TEXT NOT NULL,
    types TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER
);

-- A row is the place of a named consumer in a log: all before `position` was dealt with. Nothing fills it yet.
CREATE TABLE sprint_core_cursors (
    consumer TEXT PRIMARY KEY,
    subscription TEXT REFERENCES sprint_core_subscriptions (subscription) ON DELETE CASCADE,
    log_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
);

-- A row is where events of a subscription are posted to, and how that goes. The secret that signs them is kept
-- elsewhere; here is what it is called. Nothing fills it yet.
CREATE TABLE sprint_core_webhooks (
    subscription TEXT PRIMARY KEY REFERENCES sprint_core_subscriptions (subscription) ON DELETE CASCADE,
    url TEXT NOT NULL,
    secret_name TEXT NOT NULL,
    state TEXT NOT NULL,
    failures INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);
