//! All groups of an open log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::shared::UNPOISONED;
use super::super::topic::Topic;
use super::Membership;

/// Groups by name, each with the topics that its members read.
#[derive(Default)]
pub(in super::super) struct Groups {
    groups: Mutex<HashMap<Arc<str>, Vec<Membership>>>,
    next_member: AtomicU64,
}

impl Groups {
    /// Adds a member and returns its id.
    pub(in super::super) fn join(
        &self,
        group: &Arc<str>,
        topic: &Arc<Topic>,
        drain: Duration,
        wake: Arc<Notify>,
    ) -> u64 {
        let id = self.next_member.fetch_add(1, Ordering::Relaxed);
        let mut groups = self.groups.lock().expect(UNPOISONED);
        let topics = groups.entry(group.clone()).or_default();
        let at = topics.iter().position(|m| m.is_of(topic)).unwrap_or_else(|| {
            topics.push(Membership::new(topic.clone()));
            topics.len() - 1
        });
        topics[at].join(id, drain, wake, Instant::now());
        id
    }

    /// Takes a member out; a group without members is forgotten.
    pub(in super::super) fn leave(&self, group: &Arc<str>, topic: &Arc<Topic>, id: u64) {
        let mut groups = self.groups.lock().expect(UNPOISONED);
        let Some(topics) = groups.get_mut(group) else { return };
        for membership in topics.iter_mut().filter(|m| m.is_of(topic)) {
            membership.leave(id, Instant::now());
        }
        topics.retain(|membership| !membership.is_empty());
        if topics.is_empty() {
            groups.remove(group);
        }
    }

    /// Whether the group has a member, of whatever topic.
    pub(in super::super) fn is_active(&self, group: &str) -> bool {
        self.groups.lock().expect(UNPOISONED).contains_key(group)
    }

    /// Does something short with the members of one group and topic; `None` when there are none.
    pub(in super::super) fn with<T>(
        &self,
        group: &Arc<str>,
        topic: &Arc<Topic>,
        act: impl FnOnce(&mut Membership) -> T,
    ) -> Option<T> {
        let mut groups = self.groups.lock().expect(UNPOISONED);
        let membership = groups.get_mut(group)?.iter_mut().find(|m| m.is_of(topic))?;
        Some(act(membership))
    }
}
