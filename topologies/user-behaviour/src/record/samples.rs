//! Records for tests: one fixed, and a strategy for all that break no rule.

use compact_str::CompactString;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Attribute, Attributes, Behaviour, Channel, MAX_ATTRIBUTES, MAX_ID, MAX_ITEM, MAX_NAME};

/// The moment at which samples are checked: 2026-01-01T00:00:00Z.
pub(crate) const NOW: i64 = 1_767_225_600_000;

/// A record with texts of several scripts.
pub(crate) fn hotel() -> Behaviour {
    let mut attributes = Attributes::default();
    attributes.insert("city", "上海");
    attributes.insert("nights", 2);
    attributes.insert("price", 688.5);
    attributes.insert("mood", "🏨 \"外滩\"");
    attributes.insert("member", true);
    Behaviour {
        event_id: "e-1".into(),
        user_id: "u-42".into(),
        app_id: "trip".into(),
        channel: Channel::App,
        business: "hotel".into(),
        action: "view".into(),
        item_id: "hotel-7".into(),
        occurred_at: NOW - 1000,
        attributes,
    }
}

/// Any text of `least..=limit` bytes without NUL.
fn text(least: usize, limit: usize) -> impl Strategy<Value = CompactString> {
    vec(any::<char>(), least..=limit).prop_map(move |chars| {
        let mut text: String = chars.into_iter().filter(|c| *c != '\0').collect();
        text.truncate(text.floor_char_boundary(limit));
        if text.len() < least { "x".into() } else { text.into() }
    })
}

fn attribute() -> impl Strategy<Value = Attribute> {
    prop_oneof![
        any::<String>().prop_map(|text| Attribute::Text(text.into())),
        any::<i64>().prop_map(Attribute::Int),
        (-1e18..1e18).prop_map(Attribute::Float),
        any::<bool>().prop_map(Attribute::Bool),
    ]
}

fn attributes() -> impl Strategy<Value = Attributes> {
    vec((any::<String>(), attribute()), 0..8).prop_map(|pairs| {
        let mut attributes = Attributes::default();
        for (name, value) in pairs {
            let before = attributes.clone();
            attributes.insert(name, value);
            let mut encoded = Vec::new();
            attributes.to_json(&mut encoded);
            if encoded.len() > MAX_ATTRIBUTES {
                attributes = before;
            }
        }
        attributes
    })
}

/// Every record that breaks no rule at [`NOW`].
pub(crate) fn valid() -> impl Strategy<Value = Behaviour> {
    (
        text(1, MAX_ID),
        text(1, MAX_ID),
        text(1, MAX_NAME),
        prop::sample::select(&Channel::ALL[..]),
        text(1, MAX_NAME),
        text(1, MAX_NAME),
        text(0, MAX_ITEM),
        0..=NOW,
        attributes(),
    )
        .prop_map(
            |(event_id, user_id, app_id, channel, business, action, item_id, occurred_at, attributes)| Behaviour {
                event_id,
                user_id,
                app_id,
                channel,
                business,
                action,
                item_id,
                occurred_at,
                attributes,
            },
        )
}
