//! Dead letters that are listed, sent back and discarded, and what the topology then makes of them.

mod back;
mod bounds;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::world::{Behaviour, Log, Script, World, value_of};
use crate::broker::dead_letter::{TRUNCATED_FROM, dead_letter};
use crate::broker::{Append, LogRecord, Producer, TopicSpec};
use crate::delivery::letters::{
    Filter, Intent, Letter, LetterId, Letters, LettersError, MarkState, Plan, Redrive, Refusal, Which,
};
use crate::delivery::{Parked, queues};
use crate::guard::{Clock, LoopGuardSettings, Looped};
use crate::runtime::{Options, start};
use crate::topology::{Class, Headers, Origin, Settings};

const START_MS: i64 = 1_700_000_000_000;
const REDRIVE: Intent = Intent::Redrive { to_source: false, new_payload: false, max_redrives: 3 };
const TO_SOURCE: Intent = Intent::Redrive { to_source: true, new_payload: false, max_redrives: 3 };

/// A world with the topics of its letters.
struct Stage {
    world: World,
    letters: Letters,
    _log: Log,
}

async fn stage(name: &str, poison: &[u64]) -> Stage {
    let log = Log::open();
    let poison: BTreeSet<u64> = poison.iter().copied().collect();
    let world = World::new(&log, name, Clock::at(START_MS), poison);
    world.fill(std::iter::empty()).await;
    let marks = format!("squall.{name}.letters");
    world.broker.create_topic(&TopicSpec::new(&marks, 1).compacted()).await.unwrap();
    let letters = Letters::new(world.broker.clone(), name, &world.letters(), &marks, world.clock);
    Stage { world, letters, _log: log }
}

fn how(rate: u64) -> Redrive {
    Redrive {
        rate,
        to_source: false,
        payload: None,
        who: "ann@desk".into(),
        reason: "fixed".into(),
        guard: LoopGuardSettings::default(),
    }
}

/// The letter of a record that a sink did not store.
fn letter(world: &World, sink: Option<&str>, value: &str, redriven: u32) -> Parked {
    let number = value.parse().unwrap_or(900);
    Parked {
        record: LogRecord {
            origin: Origin { topic: world.source().into(), partition: 0, offset: number, attempt: 5 },
            key: Some(format!("key {value}").into()),
            headers: Headers::default().with("colour", "red"),
            timestamp_ms: 1_234,
            value: Some(value.to_owned().into()),
        },
        sink: sink.map(str::to_owned),
        class: Class::Poison,
        reason: format!("Row {value} is locked"),
        version: String::new(),
        not_before_ms: 0,
        first_failure_ms: START_MS - 9_000,
        last_failure_ms: START_MS - 1_000,
        redriven,
    }
}

impl Stage {
    async fn die(&self, letters: impl IntoIterator<Item = Append>) {
        let topic = self.world.letters();
        self.producer().append(&topic, letters.into_iter().collect()).await.unwrap();
    }

    fn producer(&self) -> Arc<dyn Producer> {
        self.world.broker.producer().unwrap()
    }

    async fn plan(&self, filter: Filter, intent: Intent) -> Plan {
        self.letters.plan(&Which::Matching(filter), intent, false, 10_000).await.unwrap()
    }

    async fn open(&self) -> Vec<Letter> {
        self.letters.list(&Filter::default(), 1_000).await.unwrap().letters
    }

    async fn waiting(&self) -> u64 {
        let queues = queues(&*self.world.broker, &self.world.name).await.unwrap();
        queues.iter().map(|queue| queue.waiting).sum()
    }

    /// Runs the topology until nothing waits, with stores that work but for poison.
    async fn run(&self) {
        let works = || -> Script { Box::new(|_| Behaviour::Works) };
        let (main, retry, pending) = self.world.topologies([works(), works()]);
        let main = start(main, &Settings::default(), Options::default()).unwrap();
        let retry = start(retry, &Settings::default(), Options::default()).unwrap();
        let stops = [main.stopper(), retry.stopper()];
        let done = async {
            let (source, group) = (self.world.source(), format!("{}.group", self.world.name));
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let committed = self.world.broker.committed(&group, &source).await.unwrap();
                let bounds = self.world.broker.bounds(&source).await.unwrap();
                let open = bounds.iter().zip(committed).any(|(b, next)| next.unwrap_or(0) < b.latest);
                if !open && pending.records().await.unwrap() == 0 {
                    return stops.iter().for_each(|stop| stop.stop());
                }
            }
        };
        let all = async { tokio::join!(main.wait(), retry.wait(), done) };
        let (main, retry, ()) = tokio::time::timeout(Duration::from_secs(3_600), all).await.unwrap();
        assert_eq!((main.exit_code(), retry.exit_code()), (0, 0), "{:?} {:?}", main.ended, retry.ended);
    }

    fn stored(&self, sink: usize) -> BTreeSet<u64> {
        self.world.shelves[sink].lock().unwrap().stored.clone()
    }
}
