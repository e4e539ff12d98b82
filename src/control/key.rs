//! What a control record is about.

use std::fmt;
use std::str::FromStr;

use super::ControlError;
use crate::guard::{Limit, Mode};

/// The key of a control record. Ordered by kind, then name.
///
/// ```
/// use squall::control::Key;
///
/// let key: Key = "switch/rows".parse()?;
/// assert_eq!(key, Key::Switch("rows".into()));
/// assert_eq!(key.to_string(), "switch/rows");
/// assert!(key.check("auto").is_ok() && key.check("maybe").is_err());
/// # Ok::<(), squall::control::ControlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Key {
    /// `switch/<name>`: `on`, `off` or `auto`.
    Switch(String),
    /// `spout/<name>`: `running` or `paused`.
    Spout(String),
    /// `limit/<name>`: `off`, `100/s`, `100/s burst 200`, or `default` for what the configuration says.
    Limit(String),
}

/// What a spout is told when it may read.
pub(super) const RUNNING: &str = "running";
/// What a spout is told when it may not.
pub(super) const PAUSED: &str = "paused";
/// What a key is told that is to be as if nobody had ever changed it.
pub(super) const DEFAULT: &str = "default";

impl Key {
    /// The word before the slash.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Switch(_) => "switch",
            Self::Spout(_) => "spout",
            Self::Limit(_) => "limit",
        }
    }

    /// What follows the slash.
    pub fn name(&self) -> &str {
        match self {
            Self::Switch(name) | Self::Spout(name) | Self::Limit(name) => name,
        }
    }

    /// The value of which it goes back to what it is without any record; `None` for a kind that has none.
    pub fn clear_value(&self) -> Option<&'static str> {
        matches!(self, Self::Limit(_)).then_some(DEFAULT)
    }

    /// The value without any record, unless a worker says [another](super::Applied::default).
    pub fn default_value(&self) -> &'static str {
        match self {
            Self::Switch(_) => "off",
            Self::Spout(_) => RUNNING,
            Self::Limit(_) => Limit::OFF,
        }
    }

    /// Whether the key takes `value`.
    ///
    /// # Errors
    /// [`ControlError::BadValue`], naming what it takes.
    pub fn check(&self, value: &str) -> Result<(), ControlError> {
        let (taken, valid) = match self {
            Self::Switch(_) => (value.parse::<Mode>().is_ok(), "on, off or auto"),
            Self::Spout(_) => (matches!(value, RUNNING | PAUSED), "running or paused"),
            Self::Limit(_) => (value == DEFAULT || Limit::parse(value).is_ok(), Limit::FORM),
        };
        if taken {
            return Ok(());
        }
        Err(ControlError::BadValue { key: self.to_string(), value: value.to_owned(), valid })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind(), self.name())
    }
}

impl FromStr for Key {
    type Err = ControlError;

    fn from_str(text: &str) -> Result<Self, ControlError> {
        match text.split_once('/') {
            Some(("switch", name)) if !name.is_empty() => Ok(Self::Switch(name.to_owned())),
            Some(("spout", name)) if !name.is_empty() => Ok(Self::Spout(name.to_owned())),
            Some(("limit", name)) if !name.is_empty() => Ok(Self::Limit(name.to_owned())),
            _ => Err(ControlError::UnknownKey { key: text.to_owned() }),
        }
    }
}
