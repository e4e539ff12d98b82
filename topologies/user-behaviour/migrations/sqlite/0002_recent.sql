-- Newest first per user, whatever the business; read backwards.
CREATE INDEX behaviour_recent ON behaviour (user_id, occurred_at, event_id);
