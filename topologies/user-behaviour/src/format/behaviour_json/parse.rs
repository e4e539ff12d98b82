//! Reads an object member by member, and knows in which member reading failed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::error::Category;

use super::draft::{A_TIME, AN_ATTRIBUTE, Draft, wanted};
use super::scalar::{Name, Scalar};
use crate::format::DecodeError;
use crate::record::{Behaviour, Invalid, NUMBER_RANGE, Reason, TIME_RANGE};

const ATTRIBUTES: &str = "attributes";

/// The record that `value` holds; only what belongs to the format is checked.
pub(super) fn parse(value: &[u8]) -> Result<Behaviour, DecodeError> {
    let mut reader = Reader::default();
    // Of a value that is UTF-8 as a whole no text has to be looked at again.
    let read = match std::str::from_utf8(value) {
        Ok(text) => read(serde_json::Deserializer::from_str(text), &mut reader),
        Err(_) => read(serde_json::Deserializer::from_slice(value), &mut reader),
    };
    match read {
        Ok(()) => Ok(reader.draft.finish()?),
        Err(error) => Err(reader.explain(&error)),
    }
}

fn read<'de, R: serde_json::de::Read<'de>>(
    mut json: serde_json::Deserializer<R>,
    reader: &mut Reader,
) -> serde_json::Result<()> {
    json.deserialize_map(Record(reader)).and_then(|()| json.end())
}

#[derive(Default)]
struct Reader {
    draft: Draft,
    /// The broken rule that ended reading.
    broken: Option<Invalid>,
    /// The member in whose value serde failed.
    failed_in: Option<Member>,
}

impl Reader {
    /// Ends reading when `outcome` is an error, which is kept here: serde's error could only hold its text.
    fn keep<E: Error>(&mut self, outcome: Result<(), Invalid>) -> Result<(), E> {
        outcome.map_err(|invalid| {
            self.broken = Some(invalid);
            E::custom("a rule is broken")
        })
    }

    /// Notes in which member serde failed; the innermost notes first.
    fn note<E>(&mut self, name: &str, inside: bool, error: E) -> E {
        self.failed_in.get_or_insert_with(|| Member::new(name, inside));
        error
    }

    fn explain(self, error: &serde_json::Error) -> DecodeError {
        if let Some(invalid) = self.broken {
            return invalid.into();
        }
        let text = error.to_string();
        match (error.classify(), self.failed_in) {
            (Category::Data, None) => malformed(None, "not a JSON object".to_owned()),
            (Category::Data, Some(member)) => member.breaks(Reason::WrongType { wanted: member.wanted }),
            (_, Some(member)) if text.starts_with("number out of range") => {
                let allowed = if member.wanted == A_TIME { TIME_RANGE } else { NUMBER_RANGE };
                member.breaks(Reason::OutOfRange { allowed })
            }
            (_, member) => malformed(member.map(|member| member.path.into()), text),
        }
    }
}

/// A member of the record or of `attributes`, as errors name it.
struct Member {
    path: String,
    wanted: &'static str,
}

impl Member {
    fn new(name: &str, inside: bool) -> Self {
        let wanted = match name {
            _ if inside => AN_ATTRIBUTE,
            ATTRIBUTES => "an object",
            _ => wanted(name),
        };
        let prefix = if wanted == AN_ATTRIBUTE { "attributes." } else { "" };
        Self { path: format!("{prefix}{}", &name[..name.floor_char_boundary(64)]), wanted }
    }

    fn breaks(&self, reason: Reason) -> DecodeError {
        Invalid::new(self.path.clone(), reason).into()
    }
}

fn malformed(field: Option<Cow<'static, str>>, reason: String) -> DecodeError {
    DecodeError::Malformed { field, reason }
}

/// The members of the record.
struct Record<'r>(&'r mut Reader);

impl<'de> Visitor<'de> for Record<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.0;
        while let Some(Name(name)) = map.next_key()? {
            if name == ATTRIBUTES {
                let begun = reader.draft.begin_attributes();
                reader.keep(begun)?;
                let read = map.next_value_seed(InAttributes(reader));
                read.map_err(|error| reader.note(ATTRIBUTES, false, error))?;
            } else {
                let value: Scalar<'de> = map.next_value().map_err(|error| reader.note(&name, false, error))?;
                let taken = reader.draft.field(&name, value);
                reader.keep(taken)?;
            }
        }
        Ok(())
    }
}

/// The members of `attributes`.
struct InAttributes<'r>(&'r mut Reader);

impl<'de> DeserializeSeed<'de> for InAttributes<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for InAttributes<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.0;
        while let Some(Name(name)) = map.next_key()? {
            let value: Scalar<'de> = map.next_value().map_err(|error| reader.note(&name, true, error))?;
            let taken = reader.draft.attribute(&name, value);
            reader.keep(taken)?;
        }
        Ok(())
    }
}
