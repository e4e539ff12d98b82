//! Values that no decoder takes.

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::record::{Behaviour, MAX_ATTRIBUTES, MAX_ID, MAX_OCCURRED_AT};

/// In which way a record is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BrokenKind {
    /// No bytes at all.
    Empty,
    /// Cut short.
    Truncated,
    /// A byte that is not UTF-8 in a text.
    NotUtf8,
    /// Random bytes.
    Noise,
    /// A required field is missing.
    MissingField,
    /// A field has a value of the wrong type.
    WrongType,
    /// A text is too long.
    TooLong,
    /// The time lies thousands of years ahead.
    Future,
    /// The attributes are too large.
    LargeAttributes,
    /// A field is given twice.
    Duplicate,
}

impl BrokenKind {
    /// All kinds; they are generated with equal shares.
    pub const ALL: [Self; 10] = [
        Self::Empty,
        Self::Truncated,
        Self::NotUtf8,
        Self::Noise,
        Self::MissingField,
        Self::WrongType,
        Self::TooLong,
        Self::Future,
        Self::LargeAttributes,
        Self::Duplicate,
    ];

    /// `record` as JSON, broken in this way.
    pub(super) fn value(self, mut record: Behaviour, rng: &mut Xoshiro256PlusPlus) -> Bytes {
        match self {
            Self::Empty => return Bytes::new(),
            Self::TooLong => record.user_id = "x".repeat(rng.random_range(MAX_ID + 1..4 * MAX_ID)).into(),
            Self::Future => record.occurred_at = MAX_OCCURRED_AT,
            Self::LargeAttributes => {
                let filler = "长".repeat(rng.random_range(MAX_ATTRIBUTES / 3 + 1..MAX_ATTRIBUTES));
                record.attributes.insert("filler", filler.as_str());
            }
            Self::Truncated
            | Self::NotUtf8
            | Self::Noise
            | Self::MissingField
            | Self::WrongType
            | Self::Duplicate => (),
        }
        let mut json = Vec::with_capacity(256);
        record.to_json(&mut json);
        match self {
            Self::Truncated => json.truncate(rng.random_range(1..json.len())),
            Self::NotUtf8 => {
                let at = position(&json, b"\"action\":\"") + b"\"action\":\"".len();
                json[at] = 0xff;
            }
            Self::Noise => {
                rng.fill(&mut json[..]);
                // Whatever follows, this begins no JSON value.
                json[0] = b'}';
            }
            Self::MissingField => replace(&mut json, b"\"user_id\":", b"\"uid\":"),
            Self::WrongType => replace(&mut json, b"\"occurred_at\":", b"\"occurred_at\":0.5,\"occured_at\":"),
            Self::Duplicate => replace(&mut json, b"\"channel\":", b"\"channel\":\"h5\",\"channel\":"),
            Self::Empty | Self::TooLong | Self::Future | Self::LargeAttributes => (),
        }
        json.into()
    }
}

fn position(json: &[u8], name: &[u8]) -> usize {
    json.windows(name.len()).position(|part| part == name).expect("every field stands in canonical JSON")
}

fn replace(json: &mut Vec<u8>, name: &[u8], with: &[u8]) {
    let at = position(json, name);
    json.splice(at..at + name.len(), with.iter().copied());
}
