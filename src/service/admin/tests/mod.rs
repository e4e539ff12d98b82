//! Commands over the embedded log, on paused time.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod cursors;

use std::path::Path;
use std::sync::Arc;

use clap::Parser;

use super::change::{Outcome, change};
use super::{
    AdminCommand, AdminContext, AdminError, ChangeArgs, LimitCommand, SpoutCommand, SwitchCommand, open_log,
};
use super::{audit, list, workers};
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::control::{Control, ControlSettings, Key, Operator, ensure};
use crate::guard::{Clock, Limit};
use crate::service::connect::BrokerConfig;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: AdminCommand,
}

fn parse(line: &str) -> Result<AdminCommand, String> {
    let words = ["squall"].into_iter().chain(line.split(' '));
    Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| error.to_string())
}

/// A topology in a log, and its time.
struct Stage {
    context: AdminContext,
    clock: Clock,
    dir: tempfile::TempDir,
}

/// A topology without workers.
async fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let (context, clock) = (context(dir.path()).await, Clock::new());
    Stage { context, clock, dir }
}

async fn context(dir: &Path) -> AdminContext {
    let broker = Arc::new(EmbeddedBroker::open(&dir.join("log"), EmbeddedSettings::for_tests()).unwrap());
    ensure(&*broker, "words", 1).await.unwrap();
    AdminContext { broker, topology: "words".into(), dead_letters: None, topic: None, spouts: Vec::new() }
}

/// A worker with two switches and a spout.
async fn worker(stage: &Stage, name: &str) -> Control {
    let settings = ControlSettings::new(stage.dir.path(), "worker");
    let settings = ControlSettings { worker: name.into(), clock: stage.clock, ..settings };
    let control = Control::start(stage.context.broker.clone(), "words", settings).await;
    control.switch("rows");
    control.switch("timelines");
    control.spout("lines");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    control
}

/// Carries out a change, as its command does.
async fn give(stage: &Stage, line: &str) -> Result<Outcome, AdminError> {
    let (key, value, args): (fn(String) -> Key, &str, ChangeArgs) = match parse(line).unwrap() {
        AdminCommand::Switch(SwitchCommand::On(args)) => (Key::Switch, "on", args),
        AdminCommand::Switch(SwitchCommand::Off(args)) => (Key::Switch, "off", args),
        AdminCommand::Switch(SwitchCommand::Auto(args)) => (Key::Switch, "auto", args),
        AdminCommand::Spout(SpoutCommand::Pause(args)) => (Key::Spout, "paused", args),
        AdminCommand::Spout(SpoutCommand::Resume(args)) => (Key::Spout, "running", args),
        other => panic!("{other:?} is no change"),
    };
    change(&stage.operator(), "words", key(args.name.clone()), value, &args).await
}

impl Stage {
    fn operator(&self) -> Operator {
        Operator::new(self.context.broker.clone(), "words", self.clock)
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_says_who_has_applied_it() {
    let stage = stage().await;
    let one = worker(&stage, "one").await;
    let two = worker(&stage, "two").await;
    let outcome = give(&stage, "switch on rows --for 30m --reason upgrade --who ann@desk").await.unwrap();
    let text = outcome.text(false);
    assert!(text.starts_with("switch rows is on (was off) until 20"), "{text}");
    assert!(text.contains(", then off\n2 of 2 workers applied it in "), "{text}");
    assert_eq!(outcome.status(), 0);
    let json = outcome.json();
    assert_eq!((&json["applied"], &json["of"], &json["who"]), (&2.into(), &2.into(), &"ann@desk".into()));
    assert_eq!((&json["key"], &json["then"]), (&"switch/rows".into(), &"off".into()));
    assert!(json["workers"][1]["after_ms"].is_u64() && json["elapsed_ms"].is_u64());
    assert_eq!(give(&stage, "spout pause lines").await.unwrap().json()["value"], "paused");
    assert_eq!(give(&stage, "spout resume lines").await.unwrap().json()["before"], "paused");

    // A worker that dies is missed as long as it may still live.
    drop(two);
    let outcome = give(&stage, "switch auto rows --wait 1").await.unwrap();
    assert_eq!(outcome.status(), 5);
    let text = outcome.text(false);
    assert!(text.contains("1 of 2 workers applied it") && text.contains("not yet: two"), "{text}");
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    let outcome = give(&stage, "switch off rows").await.unwrap();
    let text = outcome.text(false);
    assert!(text.contains("1 of 1 workers") && text.contains("silent, and not waited for: two"), "{text}");
    assert_eq!(outcome.status(), 0);
    one.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_clock_is_ahead_is_named_with_what_it_has() {
    let stage = stage().await;
    let _one = worker(&stage, "one").await;
    let ahead = Stage { clock: Clock::at(stage.clock.unix_ms() + 3_600_000), ..stage };
    let _two = worker(&ahead, "two").await;
    let stage = Stage { clock: Clock::at(ahead.clock.unix_ms() - 3_600_000), ..ahead };
    let outcome = give(&stage, "switch on rows --for 30m --wait 1").await.unwrap();
    let text = outcome.text(false);
    assert!(text.contains("1 of 2 workers applied it in "), "{text}");
    assert!(text.contains("\ntwo has off: by its clock the time is over"), "{text}");
    assert_eq!((outcome.status(), &outcome.json()["workers"][1]["instead"]), (5, &"off".into()));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_is_refused_with_the_known_ones() {
    let stage = stage().await;
    let refused = |result: Result<Outcome, AdminError>| result.err().expect("it was taken").to_string();
    let error = refused(give(&stage, "switch on rows").await);
    assert!(error.contains("no worker of `words` runs") && error.contains("--force"), "{error}");
    let outcome = give(&stage, "switch on rows --force").await.unwrap();
    assert_eq!(outcome.status(), 0);
    assert!(outcome.text(false).contains("it holds for those that start"), "{}", outcome.text(false));

    let control = worker(&stage, "one").await;
    assert_eq!(control.switch("rows").mode(), crate::guard::Mode::On);
    let error = refused(give(&stage, "switch on rwos").await);
    for part in ["switch `rwos`", "known are rows, timelines", "did you mean `rows`?", "--force"] {
        assert!(error.contains(part), "`{error}` does not say `{part}`");
    }
    assert!(refused(give(&stage, "spout pause rows").await).contains("known are lines"));
    assert_eq!(give(&stage, "switch on rwos --force").await.unwrap().status(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_changes_nothing() {
    let stage = stage().await;
    let control = worker(&stage, "one").await;
    let outcome = give(&stage, "switch on rows --dry-run").await.unwrap();
    assert_eq!(outcome.text(false), "would turn switch rows to on; it is off; live workers with it: 1");
    assert_eq!((outcome.status(), &outcome.json()["dry_run"]), (0, &true.into()));
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(control.switch("rows").mode(), crate::guard::Mode::Off);
    assert!(stage.operator().audit(10).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_set_for_a_time_and_cleared() {
    let stage = stage().await;
    let control = worker(&stage, "one").await;
    let limit = control.limit("query.ip", Limit::new(100, 200));
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let set = |line: &str| match parse(line).unwrap() {
        AdminCommand::Limit(command) => match *command {
            LimitCommand::Set(args) => (args.key(), args.value(), args.change),
            LimitCommand::Clear(args) => (Key::Limit(args.name.clone()), "default".to_owned(), args),
            other => panic!("{other:?} is no change"),
        },
        other => panic!("{other:?} is no change"),
    };
    let give = async |line: &str| {
        let (key, value, args) = set(line);
        change(&stage.operator(), "words", key, &value, &args).await
    };
    let outcome = give("limit set query.ip 5/s burst 9 --for 30m --reason flood --who ann@desk").await.unwrap();
    let (text, json) = (outcome.text(false), outcome.json());
    assert!(text.starts_with("limit query.ip is 5/s burst 9 (was 100/s burst 200) until 20"), "{text}");
    assert!(text.contains(", then 100/s burst 200\n1 of 1 workers applied it in "), "{text}");
    assert_eq!(
        (&json["key"], &json["value"], &json["of"]),
        (&"limit/query.ip".into(), &"5/s burst 9".into(), &1.into())
    );
    assert_eq!(limit.limit(), Limit::new(5, 9));
    let text = give("limit set query.ip off --dry-run").await.unwrap().text(false);
    assert_eq!(text, "would turn limit query.ip to off; it is 5/s burst 9; live workers with it: 1");
    let outcome = give("limit clear query.ip").await.unwrap();
    let text = outcome.text(false);
    assert!(text.starts_with("limit query.ip is 100/s burst 200 (was 5/s burst 9)\n1 of 1"), "{text}");
    assert_eq!((outcome.status(), limit.limit()), (0, Limit::new(100, 200)));
    assert_eq!(give("limit set query.ip 7/s").await.unwrap().json()["value"], "7/s burst 7");
    let refused = async |line: &str| give(line).await.err().expect("it was taken").to_string();
    let error = refused("limit set query.ip 7").await;
    assert!(error.contains("`7` is no value of limit/query.ip; it is off, or such as 100/s"), "{error}");
    let error = refused("limit set query.app 7/s").await;
    assert!(error.contains("no worker has a limit `query.app`; known are query.ip"), "{error}");
    let listed = list::list_as_json("limit", &stage.operator().state().await.unwrap());
    let listed = &listed["limits"][0];
    assert_eq!((&listed["value"], &listed["default"]), (&"7/s burst 7".into(), &"100/s burst 200".into()));
    for line in ["limit list", "limit list --json"] {
        parse(line).unwrap().run(&stage.context).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn lists_are_tables_with_aligned_columns() {
    let stage = stage().await;
    let _control = worker(&stage, "one").await;
    give(&stage, "switch on rows --for 30m --reason upgrade --who ann@desk").await.unwrap();
    let operator = stage.operator();
    let (mut state, now_ms) = (operator.state().await.unwrap(), stage.clock.unix_ms());
    state.retain(|state| state.key.kind() == "switch");
    let table = list::as_table(&state, now_ms).show(false);
    let lines: Vec<_> = table.lines().collect();
    let at = |name: &str| lines[0].find(name).unwrap();
    assert_eq!((&lines[1][..5], &lines[1][at("WORKERS")..][..6]), ("rows ", "1 of 1"));
    assert_eq!((&lines[1][at("WHO")..][..8], &lines[1][at("REASON")..]), ("ann@desk", "upgrade"));
    assert_eq!(lines[2].trim_end(), "timelines  off    1 of 1");
    assert!(list::as_table(&state, now_ms).show(true).contains("\x1b[33mon\x1b[0m"));
    assert_eq!(list::as_json(&state[0])["workers"][0]["value"], "on");
    let table = workers::as_table(&operator.workers().await.unwrap(), now_ms).show(false);
    assert!(table.contains("rows=on timelines=off lines=running"), "{table}");
    let table = audit::as_table(&operator.audit(5).await.unwrap()).show(false);
    assert!(table.contains("set     switch/rows  before=off expires=20") && table.contains("value=on"), "{table}");
    for line in [
        "switch list",
        "spout list --json",
        "workers list",
        "audit list --limit 3 --json",
        "audit list --action lost",
    ] {
        parse(line).unwrap().run(&stage.context).await.unwrap();
    }
}

#[test]
fn command_lines_are_checked_before_anything_is_opened() {
    for (line, part) in [
        ("switch on", "<NAME>"),
        ("switch on rows --for 30", "30s, 30m"),
        ("switch on rows --wait 99999", "0..=3600"),
        ("switch sideways rows", "sideways"),
        ("limit set query.ip", "<LIMIT>"),
        ("limit clear", "<NAME>"),
        ("audit list --limit 0", "1..=100000"),
    ] {
        let error = parse(line).expect_err(line);
        assert!(error.contains(part), "{error}");
    }
    for line in ["switch auto rows --dry-run --json", "spout pause lines --for 2h", "workers list --json"] {
        parse(line).unwrap();
    }
}

#[tokio::test]
async fn a_log_that_is_not_there_is_not_created() {
    let dir = tempfile::tempdir().unwrap();
    let error = open_log(&BrokerConfig::default(), dir.path()).await.err().unwrap().to_string();
    assert!(error.contains("there is no log in") && error.contains("--data-dir"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
