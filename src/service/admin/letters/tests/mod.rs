//! The commands over the embedded log, on paused time.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod act;
mod look;
mod queues;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use super::list::{as_json, as_text};
use super::{ActionArgs, DeadLettersCommand, redrive, show};
use crate::broker::dead_letter::dead_letter;
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Append, LogRecord, TopicSpec};
use crate::control::{AuditRecord, ensure};
use crate::delivery::letters::{Letter, LetterId, MarkState, Plan};
use crate::delivery::{Parked, Place, Topics};
use crate::service::admin::{AdminCommand, AdminContext, AdminError, RetryCommand, retry};
use crate::topology::{Class, Headers, Origin};

const DEAD: &str = "words.dead";
const START_MS: i64 = 1_700_000_000_000;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: AdminCommand,
}

fn parse(line: &str) -> Result<AdminCommand, String> {
    let words = ["squall"].into_iter().chain(line.split(' '));
    Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| error.to_string())
}

fn command(line: &str) -> DeadLettersCommand {
    let AdminCommand::DeadLetters(command) = parse(line).unwrap() else {
        panic!("`{line}` is about other things")
    };
    *command
}

/// A topology with two sinks and the topics that a start makes.
struct Stage {
    context: AdminContext,
    dir: tempfile::TempDir,
}

async fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let broker = EmbeddedBroker::open(&dir.path().join("log"), EmbeddedSettings::for_tests()).unwrap();
    let context = AdminContext {
        broker: Arc::new(broker),
        topology: "words".into(),
        dead_letters: Some(DEAD.into()),
        topic: None,
        spouts: Vec::new(),
    };
    ensure(&*context.broker, "words", 1).await.unwrap();
    let delays = [1, 10].map(Duration::from_secs);
    let sinks = ["rows", "timelines"].map(|sink| Topics::of("words", sink, 1, &delays));
    let topics = sinks.iter().flat_map(Topics::all).map(|name| (name, 2)).chain([(DEAD, 2), ("lines", 2)]);
    for (name, partitions) in topics {
        context.broker.create_topic(&TopicSpec::new(name, partitions)).await.unwrap();
    }
    Stage { context, dir }
}

/// The `at`-th letter: the offset in the source, and the second at which it died.
fn letter(at: u64, sink: &str, class: Class, reason: &str) -> Append {
    let record = LogRecord {
        origin: Origin { topic: "lines".into(), partition: 1, offset: at, attempt: 5 },
        key: Some(format!("key {at}").into()),
        headers: Headers::default().with("colour", "red"),
        timestamp_ms: 1_234,
        value: Some(format!("line {at}").into()),
    };
    let parked = Parked {
        record,
        sink: Some(sink.to_owned()),
        class,
        reason: reason.to_owned(),
        version: String::new(),
        not_before_ms: 0,
        first_failure_ms: START_MS,
        last_failure_ms: START_MS + 5_000,
        redriven: 0,
    };
    Append { partition: Some(0), timestamp_ms: Some(START_MS + at as i64 * 1_000), ..parked.to_append() }
}

impl Stage {
    async fn append(&self, topic: &str, records: Vec<Append>) {
        self.context.broker.producer().unwrap().append(topic, records).await.unwrap();
    }

    /// Letters 0:0 to 0:4, and 1:0 that came to no sink.
    async fn die(&self) {
        let mut letters = vec![
            letter(0, "rows", Class::Poison, "data too long"),
            letter(1, "rows", Class::Retryable, "Lock wait\n\x1b[31mexceeded"),
            letter(2, "timelines", Class::Poison, "wrong type"),
            letter(3, "rows", Class::Poison, "data too long"),
            letter(4, "timelines", Class::Retryable, "no answer within 10s"),
        ];
        let broken = LogRecord {
            origin: Origin { topic: "lines".into(), partition: 0, offset: 9, attempt: 0 },
            key: None,
            headers: Headers::default().with("bytes", vec![0xff, 0x00]),
            timestamp_ms: 1_234,
            value: Some(vec![0xde, 0xad, 0x0a, 0xff].into()),
        };
        let broken = dead_letter(&broken, Class::Poison, "no line");
        letters.push(Append { partition: Some(1), timestamp_ms: Some(START_MS + 5_000), ..broken });
        self.append(DEAD, letters).await;
    }

    async fn run(&self, line: &str) -> Result<ExitCode, AdminError> {
        parse(line).unwrap().run(&self.context).await
    }

    /// The letters that a list shows.
    async fn listed(&self, filters: &str) -> Vec<String> {
        let line = format!("dead-letters list {filters}");
        let DeadLettersCommand::List(args) = command(line.trim()) else { panic!("no list") };
        let filter = args.filter.filter(START_MS + 10_000, args.all);
        let letters = self.context.letters().unwrap().list(&filter, args.limit as usize).await.unwrap().letters;
        letters.iter().map(|letter| letter.id().to_string()).collect()
    }

    async fn redrive(&self, line: &str) -> Result<redrive::Outcome, AdminError> {
        let DeadLettersCommand::Redrive(args) = command(line) else { panic!("no redrive") };
        args.carry_out(&self.context).await
    }

    async fn letter(&self, partition: u32, offset: u64) -> Letter {
        self.context.letters().unwrap().find(LetterId { partition, offset }).await.unwrap()
    }

    /// How many records each topic has.
    async fn lengths(&self) -> Vec<(String, u64)> {
        let mut lengths = Vec::new();
        for topic in self.context.broker.topics().await.unwrap() {
            let bounds = self.context.broker.bounds(&topic.name).await.unwrap();
            lengths.push((topic.name, bounds.iter().map(|bounds| bounds.latest).sum()));
        }
        lengths
    }

    async fn records(&self, topic: &str) -> Vec<LogRecord> {
        let bounds = self.context.broker.bounds(topic).await.unwrap();
        let starts: Vec<_> = bounds.iter().map(|bounds| (bounds.partition, 0)).collect();
        let mut cursor = self.context.broker.cursor(topic, &starts).unwrap();
        let mut all = Vec::new();
        while let Some(fetched) = cursor.fetch(1_000, Duration::ZERO).await.unwrap() {
            all.extend(fetched.records);
        }
        all
    }

    async fn audit(&self) -> Vec<AuditRecord> {
        self.context.operator().audit(100).await.unwrap()
    }
}

fn refused<T>(result: Result<T, AdminError>) -> String {
    result.err().expect("it was taken").to_string()
}
