//! Dead letters that are listed, sent back and discarded, and what the topology then makes of them.

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

#[tokio::test(start_paused = true)]
async fn letters_go_back_to_the_sink_that_failed_and_only_there() {
    let stage = stage("back", &[]).await;
    stage.die((0..30).map(|value| letter(&stage.world, Some("first"), &value.to_string(), 0).to_append())).await;
    stage.die([letter(&stage.world, Some("second"), "50", 0).to_append()]).await;
    let only = Filter { sink: Some("first".into()), ..Filter::default() };
    let plan = stage.plan(only, REDRIVE).await;
    assert_eq!((plan.letters.len(), plan.refused.len(), plan.beyond), (30, 0, 0));
    assert_eq!(stage.waiting().await, 0, "a plan changes nothing");

    let mut told = Vec::new();
    let done = stage.letters.redrive(&plan, &how(100), |done| told.push(done)).await.unwrap();
    assert_eq!((done.sent, done.of, done.returned, done.looped), (30, 30, 0, None));
    assert_eq!(told.last(), Some(&30));
    let level = stage.world.records("squall.back.first.retry-1s").await;
    assert_eq!(level.len(), 30, "the first level of its sink");
    let parked = Parked::read(level.iter().find(|record| value_of(record) == Some(7)).unwrap()).unwrap();
    let mut expected = letter(&stage.world, Some("first"), "7", 1);
    expected.record.origin.attempt = 0;
    assert_eq!(parked, expected, "due at once, with its attempts before it, counted, otherwise as it was");

    stage.run().await;
    assert_eq!((stage.stored(0), stage.stored(1)), ((0..30).collect(), BTreeSet::new()));
    let open = stage.open().await;
    assert_eq!((open.len(), open[0].sink()), (1, Some("second")));
    let all = stage.letters.list(&Filter { marked: true, ..Filter::default() }, 5).await.unwrap();
    assert_eq!((all.letters.len(), all.total()), (5, 31));
    let mark = stage.letters.find(LetterId { partition: 0, offset: 3 }).await.unwrap().mark.unwrap();
    assert_eq!(
        (mark.state, mark.who.as_str(), mark.reason.as_str(), mark.times),
        (MarkState::Redriven, "ann@desk", "fixed", 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_record_that_came_to_no_sink_goes_to_its_source_and_comes_to_all() {
    let stage = stage("source", &[]).await;
    let mut broken = letter(&stage.world, None, "x1", 0).record;
    broken.origin.partition = 1;
    stage.die([dead_letter(&broken, Class::Poison, "no number")]).await;
    stage.die([letter(&stage.world, Some("first"), "8", 0).to_append()]).await;

    // As it is it dies again, and its letter says that it was sent back.
    let nowhere = Filter { sink: Some(String::new()), ..Filter::default() };
    let plan = stage.plan(nowhere.clone(), REDRIVE).await;
    assert_eq!(stage.letters.redrive(&plan, &how(100), |_| ()).await.unwrap().sent, 1);
    let sent = stage.world.records(&stage.world.source()).await.pop().unwrap();
    assert_eq!(
        (sent.origin.partition, sent.key.clone(), sent.value.clone()),
        (1, broken.key.clone(), broken.value.clone())
    );
    assert_eq!(sent.headers, broken.headers.clone().with("squall-redriven", "1"), "its own headers and the count");
    stage.run().await;
    let again = stage.letters.list(&nowhere, 10).await.unwrap().letters;
    assert_eq!((again.len(), again[0].redriven()), (1, 1));

    // With a new payload every sink gets it.
    let payload = Some("17".into());
    let one = Which::Ids(vec![again[0].id()]);
    let plan = stage.letters.plan(&one, REDRIVE, false, 10).await.unwrap();
    stage.letters.redrive(&plan, &Redrive { payload, ..how(100) }, |_| ()).await.unwrap();
    // So it does with a letter of a sink that is sent to the source.
    let plan = stage.plan(Filter::default(), TO_SOURCE).await;
    let done = stage.letters.redrive(&plan, &Redrive { to_source: true, ..how(100) }, |_| ()).await.unwrap();
    assert_eq!(done.sent, 1);
    stage.run().await;
    assert_eq!((stage.stored(0), stage.stored(1)), (BTreeSet::from([8, 17]), BTreeSet::from([8, 17])));
    assert!(stage.open().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_count_survives_a_retry_that_fails_again_and_ends_the_redrives() {
    let stage = stage("count", &[4]).await;
    stage.die([letter(&stage.world, Some("first"), "4", 0).to_append()]).await;
    for redriven in 0..3 {
        let open = stage.open().await;
        assert_eq!((open.len(), open[0].redriven()), (1, redriven));
        let plan = stage.plan(Filter::default(), REDRIVE).await;
        assert_eq!(stage.letters.redrive(&plan, &how(100), |_| ()).await.unwrap().sent, 1);
        stage.run().await;
    }
    let id = stage.open().await[0].id();
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    assert!(plan.letters.is_empty());
    assert_eq!(Vec::from_iter(plan.refused), [(Refusal::Loops(3), (id, 1))]);
    let forced = stage.letters.plan(&Which::Ids(vec![id]), REDRIVE, true, 10).await.unwrap();
    assert_eq!(stage.letters.redrive(&forced, &how(100), |_| ()).await.unwrap().sent, 1);
    stage.run().await;
    assert_eq!(stage.open().await[0].redriven(), 4);
    assert!(stage.stored(0).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_kept() {
    let stage = stage("rate", &[]).await;
    stage.die((0..25).map(|value| letter(&stage.world, Some("first"), &value.to_string(), 0).to_append())).await;
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    let (letters, how) = (stage.letters.clone(), how(5));
    let redrive = tokio::spawn(async move { letters.redrive(&plan, &how, |_| ()).await.unwrap() });
    let mut sent = Vec::new();
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..6 {
        sent.push(stage.waiting().await);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(sent, [1, 6, 11, 16, 21, 25], "one at once, then five a second");
    assert_eq!(redrive.await.unwrap().sent, 25);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_whose_letters_die_again_stops() {
    let stage = stage("loop", &Vec::from_iter(0..200)).await;
    stage.die((0..200).map(|value| letter(&stage.world, Some("first"), &value.to_string(), 0).to_append())).await;
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    let (letters, how) = (stage.letters.clone(), how(10));
    let works = || -> Script { Box::new(|_| Behaviour::Works) };
    let (_, retry, _) = stage.world.topologies([works(), works()]);
    let retry = start(retry, &Settings::default(), Options::default()).unwrap();
    let done = letters.redrive(&plan, &how, |_| ()).await.unwrap();
    retry.stopper().stop();
    retry.wait().await;
    let looped = done.looped.expect("all of them die again");
    assert!(looped.of >= 20 && looped.returned > looped.of / 2, "{looped:?}");
    assert!((20..60).contains(&done.sent), "it stops early: {done:?}");
    let open = stage.open().await;
    let fresh = open.iter().filter(|letter| letter.redriven() == 0).count() as u64;
    assert_eq!(fresh, 200 - done.sent, "the others are as they were");
}

#[tokio::test(start_paused = true)]
async fn a_loop_by_way_of_the_source_is_seen_too() {
    let stage = stage("wide", &[]).await;
    let broken = |at: u64| {
        dead_letter(&letter(&stage.world, None, &format!("x{at}"), 0).record, Class::Poison, "no number")
    };
    stage.die((0..100).map(broken)).await;
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    let (main, _, _) = stage.world.topologies([Box::new(|_| Behaviour::Works), Box::new(|_| Behaviour::Works)]);
    let main = start(main, &Settings::default(), Options::default()).unwrap();
    let done = stage.letters.redrive(&plan, &how(10), |_| ()).await.unwrap();
    main.stopper().stop();
    main.wait().await;
    assert!(matches!(done.looped, Some(Looped { of: 20..50, .. })), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_is_refused_with_its_reason() {
    let stage = stage("refused", &[]).await;
    let mut cut = letter(&stage.world, Some("first"), "1", 0).to_append();
    cut.headers.push(TRUNCATED_FROM, "5000");
    let mut lost = letter(&stage.world, None, "2", 0).record;
    lost.origin.topic = "gone".into();
    let strange = Append { value: Some("what is this?".into()), ..Append::default() };
    let other = letter(&stage.world, Some("third"), "3", 0).to_append();
    stage.die([cut, dead_letter(&lost, Class::Poison, "no number"), strange, other]).await;
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    assert!(plan.letters.is_empty());
    let id = |offset| LetterId { partition: 0, offset };
    let expected = [
        (Refusal::Truncated, (id(0), 1)),
        (Refusal::Unreadable, (id(2), 1)),
        (Refusal::NoWay("gone".into()), (id(1), 1)),
        (Refusal::NoWay("squall.refused.third.retry-*".into()), (id(3), 1)),
    ];
    assert_eq!(Vec::from_iter(plan.refused), expected);
    let edited = Intent::Redrive { to_source: false, new_payload: true, max_redrives: 3 };
    let plan = stage.letters.plan(&Which::Ids(vec![id(0)]), edited, false, 10).await.unwrap();
    assert_eq!(plan.letters.len(), 1, "a new payload is whole");
    let two = Which::Ids(vec![id(0), id(1)]);
    let two = stage.letters.plan(&two, Intent::Discard, false, 10).await.unwrap();
    let payload = Some("1".into());
    let error = stage.letters.redrive(&two, &Redrive { payload, ..how(1) }, |_| ()).await.unwrap_err();
    assert!(matches!(error, LettersError::NotOne { count: 2 }), "{error}");

    // All of them can be discarded, once.
    let all = stage.plan(Filter::default(), Intent::Discard).await;
    assert_eq!(stage.letters.discard(&all, "ann@desk", "no use").await.unwrap(), 4);
    assert!(stage.open().await.is_empty());
    let again = stage.letters.plan(&Which::Ids(vec![id(2)]), Intent::Discard, false, 10).await.unwrap();
    assert_eq!(Vec::from_iter(again.refused), [(Refusal::Marked(MarkState::Discarded), (id(2), 1))]);
}

#[tokio::test(start_paused = true)]
async fn letters_too_large_for_the_log_are_left_out_and_the_others_go() {
    let stage = stage("large", &[]).await;
    // With the header that is added it exceeds the log's megabyte.
    let mut large = letter(&stage.world, Some("first"), "1", 0);
    let rest: usize = 1024 * 1024 - size(&large.to_append()) + 1;
    large.record.value = Some(vec![b'1'; rest].into());
    stage.die([large.to_append(), letter(&stage.world, Some("first"), "2", 0).to_append()]).await;
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    let done = stage.letters.redrive(&plan, &how(100), |_| ()).await.unwrap();
    assert_eq!((done.sent, done.too_large.as_slice()), (1, &[LetterId { partition: 0, offset: 0 }][..]));
    assert_eq!(stage.open().await.len(), 1, "it is as it was");
}

fn size(append: &Append) -> usize {
    let headers: usize = append.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    headers + append.key.as_ref().map_or(0, bytes::Bytes::len) + append.value.as_ref().map_or(0, bytes::Bytes::len)
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_bounded_and_the_rest_comes_with_the_next() {
    let stage = stage("bounded", &[]).await;
    stage
        .die((0..2_500).map(|value| letter(&stage.world, Some("first"), &value.to_string(), 0).to_append()))
        .await;
    let all = Which::Matching(Filter::default());
    let mut sent = 0;
    for beyond in [1_500, 500, 0] {
        let plan = stage.letters.plan(&all, REDRIVE, false, 1_000).await.unwrap();
        assert_eq!(plan.beyond, beyond);
        sent += stage.letters.redrive(&plan, &how(100_000), |_| ()).await.unwrap().sent;
    }
    assert_eq!((sent, stage.waiting().await), (2_500, 2_500), "each once");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_could_not_be_marked() {
    let stage = stage("unmarked", &[]).await;
    stage.die([letter(&stage.world, Some("first"), "1", 0).to_append()]).await;
    let plan = stage.plan(Filter::default(), REDRIVE).await;
    stage.world.broker.delete_topic("squall.unmarked.letters").await.unwrap();
    assert_eq!(stage.open().await.len(), 1, "without marks all are open");
    let error = stage.letters.redrive(&plan, &how(1), |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("start the topology once"), "{error}");
    assert_eq!(stage.waiting().await, 0);
}
