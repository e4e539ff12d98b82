//! What has been read of a record so far.

use compact_str::CompactString;

use super::scalar::Scalar;
use crate::record::{
    Attribute, Attributes, Behaviour, Channel, Invalid, MAX_ATTRIBUTES, MAX_ID, MAX_ITEM, MAX_NAME,
    MAX_OCCURRED_AT, NUMBER_RANGE, Reason, TIME_RANGE,
};

pub(super) const A_TEXT: &str = "a text";
pub(super) const A_TIME: &str = "whole milliseconds or an RFC 3339 text";
pub(super) const AN_ATTRIBUTE: &str = "a text, a number, true or false";

/// Fields that were seen. Texts are measured before they are copied.
#[derive(Default)]
pub(super) struct Draft {
    event_id: Option<CompactString>,
    user_id: Option<CompactString>,
    app_id: Option<CompactString>,
    channel: Option<Channel>,
    business: Option<CompactString>,
    action: Option<CompactString>,
    item_id: Option<CompactString>,
    occurred_at: Option<i64>,
    attributes: Vec<(CompactString, Attribute)>,
    /// Bytes that the attributes need at least when they are encoded.
    spent: usize,
    seen_attributes: bool,
}

impl Draft {
    /// Takes a member of the record other than `attributes`; one with an unknown name is an attribute.
    pub(super) fn field(&mut self, name: &str, value: Scalar<'_>) -> Result<(), Invalid> {
        match name {
            "event_id" => text("event_id", &mut self.event_id, value, MAX_ID),
            "user_id" => text("user_id", &mut self.user_id, value, MAX_ID),
            "app_id" => text("app_id", &mut self.app_id, value, MAX_NAME),
            "business" => text("business", &mut self.business, value, MAX_NAME),
            "action" => text("action", &mut self.action, value, MAX_NAME),
            "item_id" => text("item_id", &mut self.item_id, value, MAX_ITEM),
            "channel" => match value {
                Scalar::Text(word) => once("channel", &mut self.channel, Channel::from_word(&word)?),
                _ => Err(wrong_type("channel", A_TEXT)),
            },
            "occurred_at" => once("occurred_at", &mut self.occurred_at, time(value)?),
            _ => self.attribute(name, value),
        }
    }

    /// Takes a member of `attributes`, or an unknown member of the record.
    pub(super) fn attribute(&mut self, name: &str, value: Scalar<'_>) -> Result<(), Invalid> {
        let least = match &value {
            Scalar::Text(text) => text.len() + 2,
            _ => 1,
        };
        // A name in quotes, a colon, and a comma or the closing brace.
        self.spent += name.len() + 4 + least;
        if self.spent >= MAX_ATTRIBUTES {
            let reason = Reason::TooLong { bytes: self.spent + 1, limit: MAX_ATTRIBUTES };
            return Err(Invalid::new("attributes", reason));
        }
        let value = match value {
            Scalar::Text(text) => Attribute::Text(text.into()),
            Scalar::Int(number) => Attribute::Int(number),
            Scalar::Float(number) => Attribute::Float(number),
            Scalar::Bool(truth) => Attribute::Bool(truth),
            Scalar::TooLarge => {
                return Err(Invalid::attribute(name, Reason::OutOfRange { allowed: NUMBER_RANGE }));
            }
            Scalar::Null => return Err(Invalid::attribute(name, Reason::WrongType { wanted: AN_ATTRIBUTE })),
        };
        self.attributes.push((name.into(), value));
        Ok(())
    }

    /// Notes that `attributes` begins.
    pub(super) fn begin_attributes(&mut self) -> Result<(), Invalid> {
        match std::mem::replace(&mut self.seen_attributes, true) {
            false => Ok(()),
            true => Err(Invalid::new("attributes", Reason::Duplicate)),
        }
    }

    /// The record, when nothing is missing.
    pub(super) fn finish(self) -> Result<Behaviour, Invalid> {
        if self.event_id.as_ref().is_some_and(CompactString::is_empty) {
            return Err(Invalid::new("event_id", Reason::Empty));
        }
        let missing = |field: &'static str| move || Invalid::new(field, Reason::Missing);
        Ok(Behaviour {
            event_id: self.event_id.unwrap_or_default(),
            user_id: self.user_id.ok_or_else(missing("user_id"))?,
            app_id: self.app_id.ok_or_else(missing("app_id"))?,
            channel: self.channel.ok_or_else(missing("channel"))?,
            business: self.business.ok_or_else(missing("business"))?,
            action: self.action.ok_or_else(missing("action"))?,
            item_id: self.item_id.unwrap_or_default(),
            occurred_at: self.occurred_at.ok_or_else(missing("occurred_at"))?,
            attributes: Attributes::from_pairs(self.attributes)
                .map_err(|name| Invalid::attribute(&name, Reason::Duplicate))?,
        })
    }
}

/// What the field `name` may hold.
pub(super) fn wanted(name: &str) -> &'static str {
    match name {
        "event_id" | "user_id" | "app_id" | "channel" | "business" | "action" | "item_id" => A_TEXT,
        "occurred_at" => A_TIME,
        _ => AN_ATTRIBUTE,
    }
}

fn text(
    field: &'static str,
    place: &mut Option<CompactString>,
    value: Scalar<'_>,
    limit: usize,
) -> Result<(), Invalid> {
    match value {
        Scalar::Text(text) if text.len() <= limit => once(field, place, text.into()),
        Scalar::Text(text) => Err(Invalid::new(field, Reason::TooLong { bytes: text.len(), limit })),
        _ => Err(wrong_type(field, A_TEXT)),
    }
}

/// A literal beyond 64 bits arrives as a float.
fn time(value: Scalar<'_>) -> Result<i64, Invalid> {
    let out_of_range = || Invalid::new("occurred_at", Reason::OutOfRange { allowed: TIME_RANGE });
    match value {
        Scalar::Int(milliseconds) => Ok(milliseconds),
        Scalar::TooLarge => Err(out_of_range()),
        Scalar::Float(number) if number.abs() > MAX_OCCURRED_AT as f64 => Err(out_of_range()),
        Scalar::Text(text) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Ok(time.as_millisecond()),
            Err(_) => Err(Invalid::new("occurred_at", Reason::NotATime)),
        },
        _ => Err(wrong_type("occurred_at", A_TIME)),
    }
}

fn once<T>(field: &'static str, place: &mut Option<T>, value: T) -> Result<(), Invalid> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Invalid::new(field, Reason::Duplicate)),
    }
}

fn wrong_type(field: &'static str, wanted: &'static str) -> Invalid {
    Invalid::new(field, Reason::WrongType { wanted })
}
