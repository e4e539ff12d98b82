CREATE TABLE conformance (
    user_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    tie TEXT NOT NULL,
    note TEXT,
    amount INTEGER,
    body BLOB,
    PRIMARY KEY (user_id, event_id),
    CONSTRAINT amount_is_not_13 CHECK (amount <> 13)
) WITHOUT ROWID;

CREATE INDEX conformance_recent ON conformance (user_id, occurred_at, tie, event_id);
CREATE INDEX conformance_newest ON conformance (user_id, amount, occurred_at, tie, event_id);
