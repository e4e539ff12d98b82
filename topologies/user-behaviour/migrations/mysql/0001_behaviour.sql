-- Every record, one row per event of a user.
--
-- What is compared is VARBINARY: character collations of MySQL ignore trailing spaces, and ids are bytes.
-- Times are milliseconds since the Unix epoch.
CREATE TABLE behaviour (
    user_id     VARBINARY(64)  NOT NULL,
    event_id    VARBINARY(64)  NOT NULL,
    occurred_at BIGINT         NOT NULL,
    app_id      VARBINARY(32)  NOT NULL,
    channel     VARBINARY(8)   NOT NULL,
    business    VARBINARY(32)  NOT NULL,
    action      VARBINARY(32)  NOT NULL,
    item_id     VARBINARY(128) NOT NULL,
    attributes  TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    PRIMARY KEY (user_id, event_id),
    -- Newest first per user and business; read backwards.
    KEY behaviour_newest (user_id, business, occurred_at, event_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
