//! The posts, made a little ahead of their time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use axum::http::{Request, StatusCode};
use bytes::Bytes;
use compact_str::CompactString;
use http_body_util::Full;
use tokio::sync::mpsc::UnboundedSender;
use user_behaviour::generate::{GenerateSettings, Generated, Generator, Kind};
use user_behaviour::topology::now_ms;

use crate::load::Work;
use crate::posts::{array, demand_accepted, post};

/// Posts that are made ahead at most.
const AHEAD: usize = 256;
/// The busiest users, of whom none is a sample: their newest page would be full of newer records in a moment.
const BUSIEST: u64 = 1000;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Posts, of which the first serve to warm up.
    pub(super) posts: u64,
    pub(super) warm: u64,
    /// Records of a post.
    pub(super) records: usize,
    /// Records a second, by the time in the records.
    pub(super) rate: u64,
    /// Of so many records one is looked for.
    pub(super) sample_every: u64,
}

/// A record to look for.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) user: CompactString,
    pub(super) event: CompactString,
}

/// What was made in all.
pub(super) struct Made {
    /// Events, each counted once.
    pub(super) events: u64,
    pub(super) users: HashSet<CompactString>,
}

struct Post {
    body: Bytes,
    sample: Option<Sample>,
}

/// The work of the load: posts in turn.
pub(super) struct Stream {
    posts: Mutex<Receiver<Post>>,
    records: usize,
    promised: AtomicU64,
    answered: UnboundedSender<(Sample, Instant)>,
}

impl Stream {
    /// Begins to make posts. Samples go to `answered` with the moment of the answer.
    pub(super) fn start(plan: Plan, answered: UnboundedSender<(Sample, Instant)>) -> (Self, JoinHandle<Made>) {
        let (sender, posts) = sync_channel(AHEAD);
        let making = std::thread::spawn(move || {
            let settings = GenerateSettings {
                count: plan.posts * plan.records as u64,
                start_ms: now_ms(),
                per_second: plan.rate,
                ..GenerateSettings::default()
            };
            let mut generator = Generator::new(settings).expect("valid settings");
            let (mut made, mut sampled) = (Made { events: 0, users: HashSet::new() }, 0);
            for n in 0..plan.posts {
                let batch: Vec<_> = generator.by_ref().take(plan.records).collect();
                for record in &batch {
                    made.note(record);
                }
                let due = n >= plan.warm && (n - plan.warm) * plan.records as u64 >= sampled * plan.sample_every;
                let sample = if due { batch.iter().find_map(sample) } else { None };
                sampled += u64::from(sample.is_some());
                let texts: Vec<_> = batch.iter().map(|record| &record.value).collect();
                let Ok(()) = sender.send(Post { body: array(&texts), sample }) else { break };
            }
            made
        });
        let (posts, promised) = (Mutex::new(posts), AtomicU64::new(0));
        (Self { posts, records: plan.records, promised, answered }, making)
    }

    /// Records that were answered `202`.
    pub(super) fn promised(&self) -> u64 {
        self.promised.load(Ordering::Relaxed)
    }
}

impl Made {
    fn note(&mut self, record: &Generated) {
        if !matches!(record.kind, Kind::Duplicate) {
            self.events += 1;
            if !self.users.contains(&record.key) {
                self.users.insert(record.key.clone());
            }
        }
    }
}

/// One that will stand on the first page of its user.
fn sample(made: &Generated) -> Option<Sample> {
    let rank: u64 = made.key.trim_start_matches('u').parse().ok()?;
    let record = made.record.as_ref().filter(|_| made.kind == Kind::Fresh && rank > BUSIEST)?;
    Some(Sample { user: record.user_id.clone(), event: record.event_id.clone() })
}

impl Work for Stream {
    type Asked = Option<Sample>;

    fn ask(&self) -> (Request<Full<Bytes>>, Option<Sample>) {
        let posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        let made = posts.recv().expect("as many as were asked for");
        (post(made.body), made.sample)
    }

    fn judge(&self, sample: Option<Sample>, status: StatusCode, body: &Bytes) {
        let answered = Instant::now();
        demand_accepted(self.records, status, body);
        self.promised.fetch_add(self.records as u64, Ordering::Relaxed);
        if let Some(sample) = sample {
            self.answered.send((sample, answered)).expect("somebody looks for samples");
        }
    }
}
