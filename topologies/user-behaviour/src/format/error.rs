//! Why bytes are not a record.

use std::borrow::Cow;

use squall::{Class, Classify};

use crate::record::Invalid;

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No such format.
    #[error("unknown format `{name}`, known are {known}")]
    UnknownFormat {
        /// What was asked for, cut to 64 bytes.
        name: String,
        /// What could have been.
        known: String,
    },
    /// The record's header names a version for which there is no decoder.
    #[error("{format} has no version `{version}`, known are {first} to {last}")]
    UnknownVersion {
        /// Name of the format.
        format: &'static str,
        /// The header, cut to 64 bytes.
        version: String,
        /// Oldest version.
        first: u32,
        /// Newest version.
        last: u32,
    },
    /// The record has no value at all.
    #[error("the record has no value")]
    NoValue,
    /// The value cannot be read: not UTF-8, cut short, not JSON, not as many columns.
    #[error("{}{reason}", in_field(.field.as_deref()))]
    Malformed {
        /// The field in whose value reading ended, where it ended in one.
        field: Option<Cow<'static, str>>,
        /// What was found.
        reason: String,
    },
    /// The value can be read, and a field breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl DecodeError {
    /// The field at fault, where there is one. The header `version` counts as a field.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::UnknownFormat { .. } | Self::NoValue => None,
            Self::UnknownVersion { .. } => Some("version"),
            Self::Malformed { field, .. } => field.as_deref(),
            Self::Invalid(invalid) => Some(&invalid.field),
        }
    }

    /// What is wrong, without the field.
    pub fn reason(&self) -> String {
        match self {
            Self::UnknownFormat { .. } | Self::NoValue | Self::UnknownVersion { .. } => self.to_string(),
            Self::Malformed { reason, .. } => reason.clone(),
            Self::Invalid(invalid) => invalid.reason.to_string(),
        }
    }
}

impl Classify for DecodeError {
    fn class(&self) -> Class {
        match self {
            Self::UnknownFormat { .. } => Class::Fatal,
            Self::UnknownVersion { .. } | Self::NoValue | Self::Malformed { .. } | Self::Invalid(_) => {
                Class::Poison
            }
        }
    }
}

fn in_field(field: Option<&str>) -> String {
    field.map(|name| format!("{name}: ")).unwrap_or_default()
}
