//! What the routes share: from bytes to durable records.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use compact_str::CompactString;
use squall::Headers;
use squall::broker::Append;
use squall::guard::Clock;
use squall::service::http::{Deadline, Problem, TRACEPARENT, TraceContext};
use squall::service::spill::DurableProducer;

use super::answer::{none_accepted, not_durable, not_split};
use super::body::{Room, Unpacked};
use super::dedup::{Dedup, Key, Keys};
use super::split::{Framing, split};
use super::verdict::{Caller, Verdict, judge};
use super::{Accepted, CollectorSettings};
use crate::format::{BehaviourJson, Format, VERSION_HEADER};
use crate::record::{Behaviour, Decoded};
use crate::topology::{FORMAT_HEADER, format_header};

/// Where the user stands in the canonical JSON of a record, but for the event id before it.
const BEFORE_USER: usize = r#"{"event_id":"","user_id":""#.len();

/// The collector of one process. Clones share it.
#[derive(Clone)]
pub struct Collector(Arc<Inner>);

struct Inner {
    producer: Arc<DurableProducer>,
    topic: String,
    settings: CollectorSettings,
    clock: Clock,
    dedup: Dedup,
    room: Room,
    accepted: AtomicU64,
    rejected: AtomicU64,
    repeated: AtomicU64,
}

/// Who sends a body, and how long there is.
#[derive(Debug, Clone, Default)]
pub(super) struct Sender {
    pub(super) caller: Caller,
    pub(super) trace: Option<TraceContext>,
    pub(super) deadline: Option<Deadline>,
}

impl Collector {
    /// A collector that appends to `topic`. `clock` decides which records lie too far ahead.
    pub fn new(producer: Arc<DurableProducer>, topic: &str, settings: CollectorSettings, clock: Clock) -> Self {
        let dedup = Dedup::new(settings.dedup, settings.dedup_entries, clock);
        let room = Room::new(settings.max_unpacked_bytes);
        let topic = topic.to_owned();
        let (accepted, rejected, repeated) = Default::default();
        Self(Arc::new(Inner { producer, topic, settings, clock, dedup, room, accepted, rejected, repeated }))
    }

    /// Its settings.
    pub fn settings(&self) -> &CollectorSettings {
        &self.0.settings
    }

    /// Where its bodies are unpacked.
    pub(super) fn room(&self) -> &Room {
        &self.0.room
    }

    /// What makes its records durable: its status and health are those of the collector.
    pub fn producer(&self) -> &Arc<DurableProducer> {
        &self.0.producer
    }

    /// Records that were accepted, those that were refused for what they are, and those of the accepted ones that were
    /// not produced again because they were durable already; since the process began.
    pub fn counts(&self) -> [u64; 3] {
        [&self.0.accepted, &self.0.rejected, &self.0.repeated].map(|counter| counter.load(Ordering::Relaxed))
    }

    /// Takes the records of a body; returns when all accepted ones are durable.
    pub(super) async fn take(
        &self,
        body: Unpacked,
        framing: Framing,
        sender: &Sender,
    ) -> Result<Accepted, Problem> {
        let inner = &*self.0;
        let records = split(&body.bytes, framing, inner.settings.max_records).map_err(not_split)?;
        let Verdict { taken, rejected } = judge(&records, &sender.caller, inner.clock.unix_ms());
        // What is made of it takes about as much until it is durable.
        let _room = body.room;
        drop(body.bytes);
        inner.rejected.fetch_add(rejected.len() as u64, Ordering::Relaxed);
        if taken.is_empty() {
            return Err(none_accepted(&rejected));
        }
        let ids = self.make_durable(taken, sender).await?;
        let accepted = ids.len();
        inner.accepted.fetch_add(accepted as u64, Ordering::Relaxed);
        Ok(Accepted { accepted, ids, rejected })
    }

    /// The ids of all of them, once they are durable.
    async fn make_durable(&self, taken: Vec<Decoded>, sender: &Sender) -> Result<Vec<CompactString>, Problem> {
        let inner = &*self.0;
        let own = Deadline::after(inner.settings.deadline);
        let deadline = sender.deadline.map_or(own, |given| given.min(own));
        let headers = headers(sender.trace);
        let count = taken.len();
        let mut keys = Keys::with_capacity_and_hasher(count, Default::default());
        let is_new = |decoded: &Decoded| {
            let key = Key::of(decoded);
            // One that is in the body twice becomes durable once.
            !inner.dedup.has(&key) && keys.insert(key)
        };
        let new: Vec<bool> = taken.iter().map(is_new).collect();
        // One piece of memory for all of them: they are let go together, once they are durable or given up.
        let bodies = || taken.iter().zip(&new).filter(|(_, new)| **new).map(|(decoded, _)| decoded.body());
        let mut joined = BytesMut::with_capacity(bodies().map(str::len).sum());
        bodies().for_each(|body| joined.extend_from_slice(body.as_bytes()));
        let mut joined = joined.freeze();
        let (mut ids, mut appends) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (decoded, new) in taken.into_iter().zip(new) {
            let length = decoded.body().len();
            let record = decoded.into_record();
            if new {
                appends.push(append(&record, joined.split_to(length), &headers));
            }
            ids.push(record.event_id);
        }
        let repeated = (count - appends.len()) as u64;
        if !appends.is_empty() {
            let appended = inner.producer.append(&inner.topic, appends, deadline).await;
            appended.map_err(|error| not_durable(&error))?;
            inner.dedup.note(keys);
        }
        inner.repeated.fetch_add(repeated, Ordering::Relaxed);
        Ok(ids)
    }
}

/// The headers of all records of a request.
fn headers(trace: Option<TraceContext>) -> Headers {
    let version = Bytes::from(BehaviourJson.versions().end().to_string());
    let mut headers =
        Headers::default().with(FORMAT_HEADER, format_header(&BehaviourJson)).with(VERSION_HEADER, version);
    if let Some(trace) = trace {
        headers.push(TRACEPARENT, Bytes::from(trace.to_string()));
    }
    headers
}

fn append(record: &Behaviour, value: Bytes, headers: &Headers) -> Append {
    let (user, at) = (&record.user_id, BEFORE_USER + record.event_id.len());
    // Both texts stand there as they are unless they had to be escaped: then no copy is needed.
    let key = match value.get(at..at + user.len()) {
        Some(there) if there == user.as_bytes() => value.slice(at..at + user.len()),
        _ => Bytes::copy_from_slice(user.as_bytes()),
    };
    Append { key: Some(key), value: Some(value), headers: headers.clone(), ..Append::default() }
}
