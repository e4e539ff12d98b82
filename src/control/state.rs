//! What the control topic says, folded. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::key::DEFAULT;
use super::seeks::Sought;
use super::{Change, ControlError, Key};
use crate::broker::LogRecord;

/// The newest change of every key, and the seeks.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct State {
    pub(super) entries: BTreeMap<Key, Entry>,
    /// Not in the file: a seek needs the log.
    pub(super) sought: Sought,
    /// Offset of the next record to fold.
    pub(super) next: u64,
}

/// A change and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its offset in the control topic; `None` when it is of a log that is gone.
    pub(super) offset: Option<u64>,
    #[serde(flatten)]
    pub(super) change: Change,
}

/// What a key is, and by which record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) value: String,
    pub(super) offset: Option<u64>,
}

impl State {
    /// Takes a record in. What cannot be taken leaves the key as it is.
    pub(super) fn note(&mut self, record: &LogRecord) -> Result<(), ControlError> {
        let offset = record.origin.offset;
        self.next = offset + 1;
        let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default());
        if self.sought.note(&key, record.value.as_deref())? {
            return Ok(());
        }
        let key: Key = key.parse()?;
        match &record.value {
            None => drop(self.entries.remove(&key)),
            Some(json) => {
                let change = Change::decode(&key, json)?;
                self.entries.insert(key, Entry { offset: Some(offset), change });
            }
        }
        Ok(())
    }

    /// What `key` is at `now_ms`; `default` while no change says otherwise.
    pub(super) fn standing(&self, key: &Key, default: &str, now_ms: i64) -> Standing {
        match self.entries.get(key) {
            None => Standing { value: default.to_owned(), offset: None },
            Some(Entry { offset, change }) => {
                let value = change.effective(now_ms).filter(|value| *value != DEFAULT).unwrap_or(default);
                Standing { value: value.to_owned(), offset: *offset }
            }
        }
    }

    /// Of the changes from offset `from` on, the one whose time is farthest from `now_ms`, and how far it is ahead.
    /// Those without a time do not count.
    pub(super) fn skew(&self, from: u64, now_ms: i64) -> Option<(&Key, i64)> {
        let made = |(_, entry): &(&Key, &Entry)| entry.offset >= Some(from) && entry.change.when_ms > 0;
        let ahead = self
            .entries
            .iter()
            .filter(made)
            .map(|(key, entry)| (key, entry.change.when_ms.saturating_sub(now_ms)));
        ahead.max_by_key(|(_, ahead_ms)| ahead_ms.unsigned_abs())
    }

    /// Whether some change expires, or has.
    pub(super) fn has_expiries(&self) -> bool {
        self.entries.values().any(|entry| entry.change.expires_ms.is_some())
    }

    /// When the next change expires.
    pub(super) fn next_expiry(&self, now_ms: i64) -> Option<i64> {
        let expiries = self.entries.values().filter_map(|entry| entry.change.expires_ms);
        expiries.filter(|expires_ms| *expires_ms > now_ms).min()
    }

    /// Takes over, from the state of a log that is gone, the keys that this one does not have.
    pub(super) fn keep(&mut self, lost: &State) {
        for (key, entry) in &lost.entries {
            let kept = || Entry { offset: None, change: entry.change.clone() };
            self.entries.entry(key.clone()).or_insert_with(kept);
        }
    }
}
