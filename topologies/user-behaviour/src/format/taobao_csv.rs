//! `taobao-csv`: the lines of the public Taobao data set.

use std::ops::RangeInclusive;

use compact_str::CompactString;

use super::{DecodeError, Format};
use crate::record::{Attribute, Attributes, Behaviour, Channel, Invalid, Reason};

/// `user,item,category,behaviour,unix seconds`, without quotes; a line end is allowed.
///
/// `pv` becomes the action `view`, `buy` becomes `order`, `fav` becomes `favourite`, `cart` stays. Business is
/// `retail`, application `taobao`, channel `app`; the category is a text attribute, because it is a name that
/// happens to be made of digits. The event id is derived from the content.
#[derive(Debug, Clone, Copy)]
pub struct TaobaoCsv;

const NAME: &str = "taobao-csv";
const APP: &str = "taobao";
const BUSINESS: &str = "retail";
const CATEGORY: &str = "category";
const ACTIONS: &[(&str, &str)] = &[("pv", "view"), ("buy", "order"), ("cart", "cart"), ("fav", "favourite")];

impl Format for TaobaoCsv {
    fn name(&self) -> &'static str {
        NAME
    }

    fn versions(&self) -> RangeInclusive<u32> {
        1..=1
    }

    fn decode(&self, _version: u32, value: &[u8]) -> Result<Behaviour, DecodeError> {
        let [user, item, category, behaviour, seconds] = columns(value)?;
        let action = ACTIONS.iter().find(|(theirs, _)| *theirs == behaviour);
        let action = action.ok_or(Invalid::new("action", Reason::Unknown { allowed: "pv, buy, cart, fav" }))?.1;
        if category.is_empty() {
            return Err(Invalid::attribute(CATEGORY, Reason::Empty).into());
        }
        let mut attributes = Attributes::default();
        attributes.insert(CATEGORY, category);
        Ok(Behaviour {
            event_id: CompactString::const_new(""),
            user_id: user.into(),
            app_id: CompactString::const_new(APP),
            channel: Channel::App,
            business: CompactString::const_new(BUSINESS),
            action: CompactString::const_new(action),
            item_id: item.into(),
            occurred_at: milliseconds(seconds)?,
            attributes,
        })
    }

    fn encode(&self, record: &Behaviour, out: &mut Vec<u8>) -> Result<(), Invalid> {
        let behaviour = ACTIONS.iter().find(|(_, ours)| *ours == record.action);
        let (behaviour, _) = behaviour.ok_or_else(|| inexpressible("action"))?;
        let category = match record.attributes.get(CATEGORY) {
            Some(Attribute::Text(text)) if record.attributes.len() == 1 && !text.is_empty() => text,
            _ => return Err(inexpressible("attributes")),
        };
        for (field, holds) in [
            ("app_id", record.app_id == APP),
            ("channel", record.channel == Channel::App),
            ("business", record.business == BUSINESS),
            ("user_id", is_plain(&record.user_id)),
            ("item_id", is_plain(&record.item_id)),
            ("attributes", is_plain(category)),
            ("occurred_at", record.occurred_at >= 0 && record.occurred_at % 1000 == 0),
            ("event_id", record.event_id.is_empty() || record.event_id == record.derive_event_id()),
        ] {
            if !holds {
                return Err(inexpressible(field));
            }
        }
        let seconds = record.occurred_at / 1000;
        let line = format!("{},{},{category},{behaviour},{seconds}", record.user_id, record.item_id);
        out.extend_from_slice(line.as_bytes());
        Ok(())
    }
}

fn columns(value: &[u8]) -> Result<[&str; 5], DecodeError> {
    let line = std::str::from_utf8(value)
        .map_err(|error| malformed(format!("not UTF-8 after byte {}", error.valid_up_to())))?;
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains('\n') {
        return Err(malformed("more than one line".to_owned()));
    }
    let mut rest = line.split(',');
    let mut columns = [""; 5];
    for (at, column) in columns.iter_mut().enumerate() {
        *column = rest.next().ok_or_else(|| malformed(format!("{at} columns instead of 5")))?;
    }
    match rest.count() {
        0 => Ok(columns),
        more => Err(malformed(format!("{} columns instead of 5", 5 + more))),
    }
}

fn milliseconds(seconds: &str) -> Result<i64, Invalid> {
    let wrong_type = || Invalid::new("occurred_at", Reason::WrongType { wanted: "whole Unix seconds" });
    let digits = seconds.strip_prefix('-').unwrap_or(seconds);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong_type());
    }
    let seconds: Option<i64> = seconds.parse().ok();
    seconds
        .and_then(|seconds| seconds.checked_mul(1000))
        .ok_or_else(|| Invalid::new("occurred_at", Reason::OutOfRange { allowed: crate::record::TIME_RANGE }))
}

/// Whether a text can stand in a column.
fn is_plain(text: &str) -> bool {
    !text.contains([',', '\n', '\r'])
}

fn inexpressible(field: &'static str) -> Invalid {
    Invalid::new(field, Reason::Inexpressible { format: NAME })
}

fn malformed(reason: String) -> DecodeError {
    DecodeError::Malformed { field: None, reason }
}
