//! Workers and an operator over the embedded log, on paused time.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod away;
mod bad;
mod clocks;
mod defaults;
mod expiry;
mod file;
pub(crate) mod flaky;
mod flips;
mod limits;
mod records;
mod seeks;
mod skips;
mod workers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::flaky::Flaky;
use super::{Control, ControlSettings, Key, Names, Operator, ensure};
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Append, Broker};
use crate::guard::Clock;
use crate::guard::{Mode, Switch};

const TOPOLOGY: &str = "words";
const MINUTE: Duration = Duration::from_secs(60);
const BEGAN_MS: i64 = 1_700_000_000_000;

/// A log that can go away, and a clock.
struct Stage {
    broker: Arc<Flaky>,
    clock: Clock,
    dir: tempfile::TempDir,
}

impl Stage {
    /// With the control topics.
    async fn open() -> Self {
        let stage = Self::bare();
        ensure(&*stage.broker, TOPOLOGY, 1).await.unwrap();
        stage
    }

    /// With an empty log.
    fn bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = EmbeddedBroker::open(&dir.path().join("log"), EmbeddedSettings::for_tests()).unwrap();
        Self { broker: Arc::new(Flaky::over(log)), clock: Clock::at(BEGAN_MS), dir }
    }

    /// The data directory of a worker.
    fn data_dir(&self, worker: &str) -> PathBuf {
        let dir = self.dir.path().join(worker);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn settings(&self, worker: &str) -> ControlSettings {
        let settings = ControlSettings::new(self.data_dir(worker), "worker");
        ControlSettings { worker: worker.to_owned(), clock: self.clock, ..settings }
    }

    async fn worker(&self, worker: &str) -> Control {
        self.worker_with(self.settings(worker)).await
    }

    async fn worker_with(&self, settings: ControlSettings) -> Control {
        Control::start(self.broker.clone(), TOPOLOGY, settings).await
    }

    fn operator(&self) -> Operator {
        Operator::new(self.broker.clone(), TOPOLOGY, self.clock)
    }

    /// Gives the workers time to say what they have.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    /// Turns the switch `rows`, and waits until the workers have it.
    async fn turn(&self, value: &str, expiry: Option<Duration>) {
        self.settle().await;
        let operator = self.operator();
        let changed = operator.change(&rows(), value, "ann@desk", "test", expiry).await.unwrap();
        let answers = operator.await_applied(&changed, MINUTE).await.unwrap();
        assert!(answers.all_applied(), "{answers:?}");
    }

    /// Appends a control record as it is.
    async fn append(&self, key: &str, value: Option<&str>) {
        self.append_to(&Names::of(TOPOLOGY).control, key, value).await;
    }

    async fn append_to(&self, topic: &str, key: &str, value: Option<&str>) {
        let value = value.map(|value| value.to_owned().into());
        let record = Append { key: Some(key.to_owned().into()), value, ..Append::default() };
        self.broker.producer().unwrap().append(topic, vec![record]).await.unwrap();
    }
}

fn rows() -> Key {
    Key::Switch("rows".into())
}

/// Waits for a state; time that is paused passes meanwhile.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

async fn until_mode(switch: &Switch, mode: Mode) {
    until(&format!("{mode}"), || switch.mode() == mode).await;
}
