//! A user's visit, step by step.

use compact_str::{CompactString, format_compact};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::catalogue::{BUSINESSES, Business};
use crate::record::{Behaviour, Channel};

/// A visit in progress. Its number makes event ids unique and the content of records without id different.
#[derive(Debug)]
pub(super) struct Visit {
    number: u64,
    user: u64,
    business: &'static Business,
    channel: Channel,
    action: &'static str,
    /// The item that is looked at.
    item: u64,
    step: u32,
}

/// Steps of a visit at most.
const MAX_STEPS: u32 = 40;

impl Visit {
    pub(super) fn begin(number: u64, user: u64, item: u64, rng: &mut Xoshiro256PlusPlus) -> Self {
        let channel = match rng.random_range(0..100) {
            0..70 => Channel::App,
            70..90 => Channel::Online,
            _ => Channel::H5,
        };
        let action = if rng.random_bool(0.6) { "search" } else { "view" };
        Self { number, user, business: business(rng), channel, action, item, step: 0 }
    }

    /// The record of the present step.
    pub(super) fn record(&self, occurred_at: i64, rng: &mut Xoshiro256PlusPlus) -> Behaviour {
        let mut attributes = self.business.attributes(self.action, rng);
        let item_id = match self.action {
            "search" => CompactString::const_new(""),
            _ => format_compact!("{}-{}", self.business.name, self.item),
        };
        let mut event_id = CompactString::const_new("");
        if self.channel == Channel::H5 {
            attributes.insert("page", format_compact!("{:x}/{}", self.number, self.step));
        } else {
            event_id = format_compact!("{:x}-{}", self.number, self.step);
        }
        Behaviour {
            event_id,
            user_id: format_compact!("u{:08}", self.user),
            app_id: CompactString::const_new(self.business.app),
            channel: self.channel,
            business: CompactString::const_new(self.business.name),
            action: CompactString::const_new(self.action),
            item_id,
            occurred_at,
            attributes,
        }
    }

    /// Goes on to the next step; `false` when the visit is over. `item` is what is looked at next, if another.
    pub(super) fn go_on(&mut self, item: u64, rng: &mut Xoshiro256PlusPlus) -> bool {
        self.step += 1;
        let chance = rng.random_range(0..100);
        let next = match (self.action, chance) {
            (_, _) if self.step >= MAX_STEPS => None,
            ("search", 0..80) => Some("view"),
            ("search", 80..90) => Some("search"),
            ("view", 0..45) => Some("view"),
            ("view", 45..60) => Some("search"),
            ("view", 60..66) => Some("favourite"),
            ("view", 66..76) => Some("cart"),
            ("view", 76..80) => Some("order"),
            ("favourite", 0..70) => Some("view"),
            ("cart", 0..40) => Some("order"),
            ("cart", 40..70) => Some("view"),
            ("order", 0..85) => Some("pay"),
            _ => None,
        };
        let Some(next) = next else { return false };
        if next == "view" {
            self.item = item;
        }
        self.action = next;
        true
    }
}

fn business(rng: &mut Xoshiro256PlusPlus) -> &'static Business {
    let total: u32 = BUSINESSES.iter().map(|business| business.weight).sum();
    let mut at = rng.random_range(0..total);
    for business in BUSINESSES {
        if at < business.weight {
            return business;
        }
        at -= business.weight;
    }
    &BUSINESSES[0]
}
