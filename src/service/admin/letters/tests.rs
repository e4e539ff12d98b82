//! The commands over the embedded log, on paused time.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use super::list::{as_json, as_text};
use super::{DeadLettersCommand, redrive, show};
use crate::broker::dead_letter::dead_letter;
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Append, LogRecord, TopicSpec};
use crate::control::{AuditRecord, ensure};
use crate::delivery::letters::{Letter, LetterId, MarkState};
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

/// A topology with two sinks and the topics that a start makes.
struct Stage {
    context: AdminContext,
    dir: tempfile::TempDir,
}

async fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let broker = EmbeddedBroker::open(&dir.path().join("log"), EmbeddedSettings::for_tests()).unwrap();
    let context =
        AdminContext { broker: Arc::new(broker), topology: "words".into(), dead_letters: Some(DEAD.into()) };
    ensure(&*context.broker, "words", 1).await.unwrap();
    let delays = [1, 10].map(Duration::from_secs);
    let sinks = ["rows", "timelines"].map(|sink| Topics::of("words", sink, &delays));
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
        let AdminCommand::DeadLetters(DeadLettersCommand::List(args)) = parse(line.trim()).unwrap() else {
            panic!("no list")
        };
        let filter = args.filter.filter(START_MS + 10_000, args.all);
        let letters = self.context.letters().unwrap().list(&filter, args.limit as usize).await.unwrap().letters;
        letters.iter().map(|letter| letter.id().to_string()).collect()
    }

    async fn redrive(&self, line: &str) -> Result<redrive::Outcome, AdminError> {
        let AdminCommand::DeadLetters(DeadLettersCommand::Redrive(args)) = parse(line).unwrap() else {
            panic!("no redrive")
        };
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

#[tokio::test(start_paused = true)]
async fn letters_are_found_by_what_they_are_like() {
    let stage = stage().await;
    stage.die().await;
    for (filters, expected) in [
        ("", vec!["0:0", "0:1", "0:2", "0:3", "0:4", "1:0"]),
        ("--limit 2", vec!["0:4", "1:0"]),
        ("--sink rows", vec!["0:0", "0:1", "0:3"]),
        ("--sink -", vec!["1:0"]),
        ("--sink rows --class poison", vec!["0:0", "0:3"]),
        ("--error LOCK", vec!["0:1"]),
        ("--key missing", vec![]),
        ("--origin lines:1", vec!["0:0", "0:1", "0:2", "0:3", "0:4"]),
        ("--origin lines:1:3", vec!["0:3"]),
        ("--origin other", vec![]),
        ("--since 7s", vec!["0:3", "0:4", "1:0"]),
        ("--since 1700000003000 --until 2023-11-14T22:13:24Z", vec!["0:3"]),
    ] {
        assert_eq!(stage.listed(filters).await, expected, "{filters}");
    }
    let only = Cli::try_parse_from(["squall", "dead-letters", "list", "--key", "key 2"]).unwrap();
    let AdminCommand::DeadLetters(DeadLettersCommand::List(args)) = only.command else { panic!("no list") };
    let filter = args.filter.filter(0, false);
    assert_eq!(stage.context.letters().unwrap().list(&filter, 9).await.unwrap().total(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_a_table_with_a_count_of_each_kind() {
    let stage = stage().await;
    stage.die().await;
    let listing = stage.context.letters().unwrap().list(&Default::default(), 5).await.unwrap();
    let text = as_text(&listing, START_MS + 65_000, None, false);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("LETTER  STATE  SINK       CLASS"), "{text}");
    let second = lines.iter().find(|line| line.starts_with("0:1 ")).unwrap();
    for part in ["open", "rows", "retryable", "lines[1]@1", "65 s ago", "60 s ago"] {
        assert!(second.contains(part), "`{second}` does not say `{part}`");
    }
    assert!(second.ends_with("Lock wait\\n\\u{1b}[31mexceeded"), "nothing reaches the terminal: {second}");
    assert!(text.contains("and 1 older; --limit shows more"), "{text}");
    assert!(text.contains("rows       poison     2") && text.contains("all                   6"), "{text}");
    let narrow = as_text(&listing, START_MS, Some(10), false);
    assert!(narrow.contains("  Lock wait\\n\\u{1b}[3…\n"), "{narrow}");
    let json = as_json(&listing);
    assert_eq!((&json["shown"], &json["total"]), (&5.into(), &6.into()));
    assert_eq!(
        (&json["letters"][0]["letter"], &json["letters"][0]["origin"]["offset"]),
        (&"0:1".into(), &1.into())
    );
    assert_eq!(json["summary"][0], serde_json::json!({ "sink": null, "class": "poison", "letters": 1 }));
    for line in [
        "dead-letters list",
        "dead-letters list --all --json",
        "dead-letters show 0:1",
        "dead-letters show 1:0 --raw",
    ] {
        assert_eq!(stage.run(line).await.unwrap(), ExitCode::SUCCESS, "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_is_shown_whole_and_fit_for_a_terminal() {
    let stage = stage().await;
    stage.die().await;
    let text = show::as_text(&stage.letter(0, 1).await, false);
    for part in [
        "letter     0:1\nstate      open\ndied       2023-11-14 22:13:21 UTC\nsink       rows\n",
        "reason     Lock wait\\n\\u{1b}[31mexceeded\nkey        key 1\n",
        "\ncolour: red\nsquall-origin-topic: lines\n",
        "\npayload, 6 bytes\nline 1\n",
    ] {
        assert!(text.contains(part), "{text} does not say {part}");
    }
    let text = show::as_text(&stage.letter(1, 0).await, false);
    assert!(text.contains("sink       - (it came to none)") && text.contains("key        -"), "{text}");
    assert!(text.contains("\nbytes: ff 00\n") && text.ends_with("payload, 4 bytes\nde ad 0a ff\n"), "{text}");

    let strange = Append { value: None, partition: Some(1), ..Append::default() };
    stage.append(DEAD, vec![strange]).await;
    let text = show::as_text(&stage.letter(1, 1).await, false);
    assert!(text.contains("class      unreadable\nreason     words.dead[1]@1 is no parked record"), "{text}");
    assert!(text.ends_with("no payload: a tombstone\n"), "{text}");
    for (id, part) in [("0:5", "partition 0 holds 0 to 4"), ("7:0", "words.dead has 2 partition(s)")] {
        let error = refused(stage.run(&format!("dead-letters show {id}")).await);
        assert!(error.contains(id) && error.contains(part), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_changes_nothing() {
    let stage = stage().await;
    stage.die().await;
    let before = stage.lengths().await;
    let outcome = stage.redrive("dead-letters redrive --everything --dry-run").await.unwrap();
    let text = outcome.text(false);
    assert!(text.starts_with("would send back 6 letters\nSINK"), "{text}");
    assert_eq!(
        (&outcome.json()["dry_run"], &outcome.json()["letters"], outcome.status()),
        (&true.into(), &6.into(), 0)
    );
    stage.run("dead-letters discard --sink rows --reason none --dry-run").await.unwrap();
    stage.run("dead-letters discard 0:1 --reason none --dry-run --json").await.unwrap();
    assert_eq!(stage.lengths().await, before);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_back_is_marked_and_audited_and_not_sent_again() {
    let stage = stage().await;
    stage.die().await;
    let line = "dead-letters redrive --class poison --max 3 --who ann@desk --reason fixed --json";
    let outcome = stage.redrive(line).await.unwrap();
    let text = outcome.text(false);
    assert!(text.starts_with("sent back 3 of 3 letters\n"), "{text}");
    assert!(text.contains("1 more are left for another time"), "{text}");
    let done = &outcome.json()["done"];
    assert_eq!(
        (&done["sent"], &done["died_again"], &done["looped"]),
        (&3.into(), &0.into(), &serde_json::Value::Null)
    );
    assert_eq!(stage.listed("").await.len(), 3);
    assert_eq!(stage.listed("--all").await.len(), 6);

    let audit = stage.audit().await;
    let said: Vec<_> =
        audit.iter().map(|record| (record.who.as_str(), record.action.as_str(), record.target.as_str())).collect();
    assert_eq!(said, [("ann@desk", "redrive", "dead-letters"), ("ann@desk", "redrive ended", "dead-letters")]);
    assert_eq!((&audit[0].details["letters"], audit[0].reason.as_str()), (&3.into(), "fixed"));
    assert_eq!(audit[1].details["sent"], 3);

    let sent = stage.records("squall.words.rows.retry-1s").await;
    let sent: Vec<_> = sent
        .iter()
        .chain(&stage.records("squall.words.timelines.retry-1s").await)
        .map(|record| Parked::read(record).unwrap().redriven)
        .collect();
    assert_eq!((sent.iter().sum::<u32>() as usize) + stage.records("lines").await.len(), 3);
    let marked = stage.listed("--all").await.into_iter().find(|id| id == "0:0" || id == "1:0").unwrap();
    let error = refused(stage.redrive("dead-letters redrive 0:0 0:1 0:2 0:3 1:0").await);
    assert!(error.contains("nothing was done: ") && error.contains("redriven before; --force"), "{error}");
    stage.redrive(&format!("dead-letters redrive {marked} --force --who bob@desk")).await.unwrap();
    let id: LetterId = marked.parse().unwrap();
    let mark = stage.letter(id.partition, id.offset).await.mark.unwrap();
    assert_eq!((mark.state, mark.who.as_str(), mark.times), (MarkState::Redriven, "bob@desk", 2));
    stage.redrive("dead-letters redrive --everything").await.unwrap();
    let outcome = stage.redrive("dead-letters redrive --everything").await.unwrap();
    assert_eq!((outcome.text(false).as_str(), outcome.status()), ("no open dead letter is like that", 0));
}

#[tokio::test(start_paused = true)]
async fn one_letter_gets_a_new_payload() {
    let stage = stage().await;
    stage.die().await;
    let file = stage.dir.path().join("payload");
    std::fs::write(&file, b"from a file\n").unwrap();
    stage.redrive(&format!("dead-letters redrive 0:0 --edit {}", file.display())).await.unwrap();
    stage.redrive("dead-letters redrive --sink - --replace mended").await.unwrap();
    assert_eq!(stage.records("squall.words.rows.retry-1s").await[0].value.as_deref(), Some(&b"from a file\n"[..]));
    assert_eq!(stage.records("lines").await[0].value.as_deref(), Some(&b"mended"[..]));
    let audit = stage.audit().await.len();
    let error = refused(stage.redrive("dead-letters redrive --sink rows --replace x").await);
    assert!(error.contains("exactly one letter, these are 2"), "{error}");
    let error = refused(stage.redrive("dead-letters redrive 0:1 --edit /no/such/file").await);
    assert!(error.contains("cannot read --edit /no/such/file"), "{error}");
    assert_eq!(stage.audit().await.len(), audit, "nothing was done");
}

#[tokio::test(start_paused = true)]
async fn a_loop_stops_the_redrive_with_a_status_of_its_own() {
    let stage = stage().await;
    let letters = (0..100).map(|at| letter(at, "rows", Class::Poison, "data too long"));
    stage.append(DEAD, letters.collect()).await;
    // A sink at which everything dies again.
    let (broker, topic) = (stage.context.broker.clone(), "squall.words.rows.retry-1s");
    let dies = tokio::spawn(async move {
        let mut cursor = broker.cursor(topic, &[(0, 0), (1, 0)]).unwrap();
        loop {
            let Some(fetched) = cursor.fetch(100, Duration::from_millis(10)).await.unwrap() else { continue };
            let again = fetched.records.iter().map(|record| Parked::read(record).unwrap().to_append());
            broker.producer().unwrap().append(DEAD, again.collect()).await.unwrap();
        }
    });
    let outcome = stage.redrive("dead-letters redrive --sink rows --rate 20/s").await.unwrap();
    dies.abort();
    assert_eq!(outcome.status(), 6);
    assert!(
        outcome.text(false).contains("have died again; the others are as they were"),
        "{}",
        outcome.text(false)
    );
    assert!(outcome.json()["done"]["sent"].as_u64().unwrap() < 50);
    assert!(stage.audit().await[1].details["looped"].is_object());
}

#[tokio::test(start_paused = true)]
async fn what_is_discarded_is_gone_from_the_list_and_audited() {
    let stage = stage().await;
    stage.die().await;
    stage.run("dead-letters discard --error answer --reason none --who ann@desk").await.unwrap();
    stage.run("dead-letters discard 0:0 1:0 --reason none --json").await.unwrap();
    assert_eq!(stage.listed("").await, ["0:1", "0:2", "0:3"]);
    let mark = stage.letter(0, 4).await.mark.unwrap();
    assert_eq!((mark.state, mark.who.as_str(), mark.reason.as_str()), (MarkState::Discarded, "ann@desk", "none"));
    let shown = show::as_text(&stage.letter(0, 4).await, false);
    assert!(shown.contains("state      discarded by ann@desk, 20"), "{shown}");
    assert_eq!(
        stage.audit().await.iter().map(|record| record.action.as_str()).collect::<Vec<_>>(),
        ["discard", "discard"]
    );
    assert!(refused(stage.run("dead-letters discard 0:0 --reason again").await).contains("discarded before"));
    stage.run("dead-letters discard --sink none --reason none").await.unwrap();
    assert_eq!(stage.audit().await.len(), 2, "nothing was done");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_meant_by_omission() {
    let stage = stage().await;
    stage.die().await;
    let before = stage.lengths().await;
    for (line, part) in [
        ("redrive", "no letter is named"),
        ("discard --reason none", "no letter is named"),
        ("redrive 0:0 --sink rows", "one of the three"),
        ("redrive --everything --sink rows", "one of the three"),
        ("redrive 0:0 0:77", "there is no letter 0:77"),
    ] {
        let error = refused(stage.run(&format!("dead-letters {line}")).await);
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(stage.lengths().await, before);
    for (line, part) in [
        ("discard 0:0", "--reason"),
        ("show 17", "such as 0:17"),
        ("list --class sad", "known are poison"),
        ("list --since soon", "2h (ago)"),
        ("list --origin a:b", "TOPIC:PARTITION:OFFSET"),
        ("redrive 0:0 --rate 0", "100/s"),
        ("redrive 0:0 --edit a --replace b", "cannot be used with"),
        ("redrive 0:0 --max 0", "1..=1000000"),
    ] {
        let error = parse(&format!("dead-letters {line}")).expect_err(line);
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_letters_or_a_topic_for_them_it_is_said() {
    let stage = stage().await;
    for line in ["list", "list --json", "redrive --everything", "discard --everything --reason none"] {
        assert_eq!(stage.run(&format!("dead-letters {line}")).await.unwrap(), ExitCode::SUCCESS, "{line}");
    }
    assert!(refused(stage.run("dead-letters show 0:0").await).contains("partition 0 holds none"));
    let missing = AdminContext { dead_letters: Some("no.such".into()), ..stage.context.clone() };
    let error = refused(parse("dead-letters list").unwrap().run(&missing).await);
    assert!(error.contains("no dead-letter topic `no.such`") && error.contains("source.dead_letters"), "{error}");
    let unset = AdminContext { dead_letters: None, ..stage.context };
    assert!(refused(parse("dead-letters list").unwrap().run(&unset).await).contains("names no dead-letter topic"));
}

#[tokio::test(start_paused = true)]
async fn the_queues_say_what_waits_and_when_it_is_due() {
    let stage = stage().await;
    let due = |at: u64, not_before_ms: i64| {
        let waits = letter(at, "rows", Class::Retryable, "locked");
        let headers = waits.headers.clone().with("squall-not-before-ms", not_before_ms.to_string());
        Append { partition: Some(at as u32 % 2), headers, ..waits }
    };
    let level = "squall.words.rows.retry-10s";
    let waits =
        [due(0, START_MS + 9_000), due(1, START_MS + 8_000), due(2, START_MS + 11_000), due(3, START_MS + 12_000)];
    stage.append(level, waits.into()).await;
    // One of partition 0 has been brought back.
    stage.context.broker.reset(level, level, &[(0, 1)]).await.unwrap();
    stage
        .append("squall.words.timelines.parked", vec![letter(7, "timelines", Class::Refused, "switched off")])
        .await;
    stage.run("switch on timelines --force --wait 0").await.unwrap();

    let (queues, switches) = retry::look(&stage.context).await.unwrap();
    let names: Vec<_> =
        queues.iter().map(|queue| (queue.sink.as_str(), queue.place.label(), queue.waiting)).collect();
    let (rows, timelines) = ("rows", "timelines");
    let expected = [
        (rows, "retry-1s", 0),
        (rows, "retry-10s", 3),
        (rows, "parked", 0),
        (timelines, "retry-1s", 0),
        (timelines, "retry-10s", 0),
        (timelines, "parked", 1),
    ];
    assert_eq!(names, expected.map(|(sink, place, waiting)| (sink, place.to_owned(), waiting)));
    assert_eq!((queues[1].oldest_ms, queues[1].next_due_ms), (Some(START_MS + 1_000), Some(START_MS + 8_000)));
    assert_eq!((queues[5].place, queues[5].next_due_ms), (Place::Parked, Some(0)));
    let table = retry::as_table(&queues, &switches, START_MS + 6_500).show(false);
    assert!(table.contains("rows       retry-10s  3        5 s ago  in 1.5 s                off\n"), "{table}");
    assert!(table.contains("timelines  parked     1        0 s ago  as the sink takes rows  on\n"), "{table}");
    assert_eq!(retry::as_json(&queues[5], &switches)["switch"], "on");
    for line in ["retry list", "retry list --json"] {
        assert!(matches!(parse(line).unwrap(), AdminCommand::Retry(RetryCommand::List(_))));
        stage.run(line).await.unwrap();
    }
    let other = AdminContext { topology: "other".into(), ..stage.context };
    assert!(retry::look(&other).await.unwrap().0.is_empty());
}

#[test]
fn the_commands_explain_themselves() {
    let mut cli = Cli::command();
    let letters = cli.find_subcommand_mut("dead-letters").unwrap();
    let abouts: Vec<_> =
        letters.get_subcommands().map(|command| command.get_about().unwrap().to_string()).collect();
    let begins =
        ["Show the newest letters", "Show all of one letter", "Send letters back", "Mark letters as of no use"];
    for (about, begin) in abouts.iter().zip(begins) {
        assert!(about.starts_with(begin), "{about}");
    }
    Cli::command().debug_assert();
}
