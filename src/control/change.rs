//! A control record's value.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ControlError, Key};

/// What somebody wants, for how long, and why: the JSON value of a control record.
///
/// Only `value` must be there, so that a record written by hand works. Fields that are not known are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What the key is to be; see [`Key::check`].
    pub value: String,
    /// Who wants it.
    #[serde(default)]
    pub who: String,
    /// Since when, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub when_ms: i64,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Until when, in milliseconds since the Unix epoch; `None` = until the next change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
    /// The value after that; `None` = the key's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
}

impl Change {
    /// Reads a record's value.
    ///
    /// # Errors
    /// [`ControlError::BadRecord`] or [`ControlError::BadValue`].
    pub fn decode(key: &Key, json: &[u8]) -> Result<Self, ControlError> {
        let change: Self = serde_json::from_slice(json).map_err(ControlError::BadRecord)?;
        key.check(&change.value)?;
        change.then.as_deref().map_or(Ok(()), |then| key.check(then))?;
        Ok(change)
    }

    /// The record's value.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and numbers are always JSON").into()
    }

    /// What the key is at `now_ms`; `None` = its default.
    pub fn effective(&self, now_ms: i64) -> Option<&str> {
        if self.has_expired(now_ms) { self.then.as_deref() } else { Some(&self.value) }
    }

    /// What the key is once nothing more happens by itself; `None` = its default.
    pub fn lasting(&self) -> Option<&str> {
        if self.expires_ms.is_some() { self.then.as_deref() } else { Some(&self.value) }
    }

    /// Whether its time is over.
    pub fn has_expired(&self, now_ms: i64) -> bool {
        self.expires_ms.is_some_and(|expires_ms| now_ms >= expires_ms)
    }
}
