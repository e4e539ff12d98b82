-- Every record, one row per event of a user. Texts compare as bytes; times are milliseconds since the Unix
-- epoch.
CREATE TABLE behaviour (
    user_id     TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    occurred_at INTEGER NOT NULL,
    app_id      TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    business    TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    item_id     TEXT    NOT NULL,
    attributes  TEXT    NOT NULL,
    PRIMARY KEY (user_id, event_id)
) STRICT, WITHOUT ROWID;

-- Newest first per user and business; read backwards.
CREATE INDEX behaviour_newest ON behaviour (user_id, business, occurred_at, event_id);
