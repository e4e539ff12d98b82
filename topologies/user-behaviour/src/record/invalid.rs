//! Why a record is refused.

use std::borrow::Cow;

/// A record breaks a rule. The first broken rule is reported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct Invalid {
    /// The field, as it is named in JSON; one attribute is `attributes.<name>`, its name cut to 64 bytes.
    pub field: Cow<'static, str>,
    /// What is wrong with it.
    pub reason: Reason,
}

impl Invalid {
    /// `field` is wrong because of `reason`.
    pub fn new(field: impl Into<Cow<'static, str>>, reason: Reason) -> Self {
        Self { field: field.into(), reason }
    }

    /// The attribute `name` is wrong because of `reason`.
    pub fn attribute(name: &str, reason: Reason) -> Self {
        Self::new(format!("attributes.{}", &name[..name.floor_char_boundary(64)]), reason)
    }
}

/// Every rule that a record can break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The field is required.
    #[error("is missing")]
    Missing,
    /// The field is given more than once.
    #[error("is given twice")]
    Duplicate,
    /// The field has a value of another type.
    #[error("must be {wanted}")]
    WrongType {
        /// What is allowed.
        wanted: &'static str,
    },
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text, or all attributes encoded, are too long.
    #[error("has {bytes} bytes, at most {limit} are allowed")]
    TooLong {
        /// How long it is; where reading stopped early, how much was read.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The text contains the character NUL.
    #[error("must not contain the character NUL")]
    Nul,
    /// The text is none of the known words.
    #[error("must be one of {allowed}")]
    Unknown {
        /// The known words.
        allowed: &'static str,
    },
    /// The text is not a point in time.
    #[error("is not an RFC 3339 time")]
    NotATime,
    /// The number is too small or too large.
    #[error("is out of range, allowed is {allowed}")]
    OutOfRange {
        /// The range.
        allowed: &'static str,
    },
    /// The time lies too far ahead of the clock.
    #[error("is {ahead_ms} ms ahead of the clock, at most {limit_ms} ms are allowed")]
    Future {
        /// How far it lies ahead.
        ahead_ms: i64,
        /// How far it may lie ahead.
        limit_ms: i64,
    },
    /// The format cannot express the value.
    #[error("cannot be written as {format}")]
    Inexpressible {
        /// Name of the format.
        format: &'static str,
    },
}
