//! Clients that ask what a group has committed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::config;
use super::context::Context;
use super::settings::KafkaSettings;
use crate::broker::BrokerError;

/// Groups whose client is kept.
const KEPT: usize = 4;

/// A client of a group that it does not join.
pub(super) type Outsider = BaseConsumer<Context>;

/// Opens one.
pub(super) fn outsider(settings: &KafkaSettings, group: &str) -> Result<Outsider, BrokerError> {
    let consumer: Outsider = config::create(&config::outsider(settings, group)?, Context::default())?;
    consumer.context().close();
    Ok(consumer)
}

/// Those of the groups that were asked for last, for the next time: a client has threads and connections of its own, and to
/// open one, find the coordinator and close it again costs many times what is asked. Somebody may ask twice a second.
#[derive(Default)]
pub(super) struct Outsiders {
    /// By group, the one that was asked last at the end.
    kept: Mutex<VecDeque<(String, Arc<Outsider>)>>,
}

impl Outsiders {
    /// The client of this group. Blocks for no longer than it takes to make or to close one.
    pub(super) fn of(&self, settings: &KafkaSettings, group: &str) -> Result<Arc<Outsider>, BrokerError> {
        let known = self.take(group);
        let client = match known {
            Some(client) => client,
            None => Arc::new(outsider(settings, group)?),
        };
        // What it has to say is said when it is asked.
        let _nothing_is_consumed = client.poll(Duration::ZERO);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Another question may have opened one meanwhile.
        let other = kept.iter().position(|(name, _)| name == group);
        let surplus = other.or_else(|| (kept.len() >= KEPT).then_some(0)).and_then(|at| kept.remove(at));
        kept.push_back((group.to_owned(), Arc::clone(&client)));
        drop(kept);
        drop(surplus);
        Ok(client)
    }

    /// This client has failed: the next question is asked by another one.
    pub(super) fn forget(&self, client: &Arc<Outsider>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(_, known)| Arc::ptr_eq(known, client));
        let failed = at.and_then(|at| kept.remove(at));
        drop(kept);
        drop(failed);
    }

    fn take(&self, group: &str) -> Option<Arc<Outsider>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(name, _)| name == group)?;
        kept.remove(at).map(|(_, client)| client)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[test]
    fn a_client_is_kept_for_the_groups_asked_for_last_until_it_fails() {
        let (outsiders, settings) = (Outsiders::default(), KafkaSettings::new("127.0.0.1:1"));
        let of = |group: &str| outsiders.of(&settings, group).unwrap();
        let first = of("g0");
        assert!(Arc::ptr_eq(&first, &of("g0")), "it is kept");
        (1..KEPT).for_each(|n| drop(of(&format!("g{n}"))));
        assert!(Arc::ptr_eq(&first, &of("g0")));
        drop(of("one too many"));
        assert!(Arc::ptr_eq(&first, &of("g0")), "others were asked for longer ago");
        (1..=KEPT).for_each(|n| drop(of(&format!("g{n}"))));
        assert!(!Arc::ptr_eq(&first, &of("g0")));
        let second = of("g0");
        outsiders.forget(&second);
        let third = of("g0");
        assert!(!Arc::ptr_eq(&second, &third));
        outsiders.forget(&second);
        assert!(Arc::ptr_eq(&third, &of("g0")), "a late failure is that of the client that had it");
    }
}
