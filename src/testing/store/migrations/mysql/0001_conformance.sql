CREATE TABLE conformance (
    user_id VARBINARY(64) NOT NULL,
    event_id VARBINARY(64) NOT NULL,
    occurred_at BIGINT NOT NULL,
    tie VARBINARY(64) NOT NULL,
    note VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    amount BIGINT,
    body MEDIUMBLOB,
    PRIMARY KEY (user_id, event_id),
    KEY conformance_recent (user_id, occurred_at, tie, event_id),
    KEY conformance_newest (user_id, amount, occurred_at, tie, event_id),
    CONSTRAINT amount_is_not_13 CHECK (amount <> 13)
) ENGINE = InnoDB;
