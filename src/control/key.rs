//! What a control record is about.

use std::fmt;
use std::str::FromStr;

use super::ControlError;
use crate::guard::Mode;

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
}

/// What a spout is told when it may read.
pub(super) const RUNNING: &str = "running";
/// What a spout is told when it may not.
pub(super) const PAUSED: &str = "paused";

impl Key {
    /// The word before the slash.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Switch(_) => "switch",
            Self::Spout(_) => "spout",
        }
    }

    /// What follows the slash.
    pub fn name(&self) -> &str {
        match self {
            Self::Switch(name) | Self::Spout(name) => name,
        }
    }

    /// The value without any record, unless a worker is [told another](super::ControlSettings::positions).
    pub fn default_value(&self) -> &'static str {
        match self {
            Self::Switch(_) => "off",
            Self::Spout(_) => RUNNING,
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
            _ => Err(ControlError::UnknownKey { key: text.to_owned() }),
        }
    }
}
