//! The commands over the embedded log, on paused time.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::Parser;

use super::BackfillCommand;
use super::bound::{Written, parse_bound};
use super::command::is_whole;
use super::program::arguments;
use super::text::{details, line, plan_as_json, table};
use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use crate::broker::{Append, Broker, TopicSpec};
use crate::control::backfill::{Bound, Draft, Job, Range};
use crate::control::{SeekTo, SpoutSource, ensure};
use crate::service::admin::moment::Moment;
use crate::service::admin::{AdminContext, AdminError};

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: BackfillCommand,
}

fn parse(line: &str) -> Result<BackfillCommand, String> {
    let words = ["squall"].into_iter().chain(line.split(' '));
    Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| error.to_string())
}

async fn context(dir: &tempfile::TempDir) -> AdminContext {
    let broker = std::sync::Arc::new(EmbeddedBroker::open(dir.path(), EmbeddedSettings::for_tests()).unwrap());
    ensure(&*broker, "words", 1).await.unwrap();
    for topic in ["in", "squall.words.rows.parked", "squall.words.views.parked"] {
        broker.create_topic(&TopicSpec::new(topic, 2)).await.unwrap();
    }
    let records =
        (0..100).map(|at| Append { partition: Some(at % 2), value: Some("x".into()), ..Append::default() });
    broker.producer().unwrap().append("in", records.collect()).await.unwrap();
    AdminContext {
        broker,
        topology: "words".into(),
        dead_letters: None,
        topic: Some("in".into()),
        spouts: Vec::new(),
    }
}

/// Runs a command; what it fails with.
async fn run(context: &AdminContext, line: &str) -> Result<(), AdminError> {
    let status = parse(line).unwrap().run(context).await?;
    assert_eq!(format!("{status:?}"), format!("{:?}", std::process::ExitCode::SUCCESS), "{line}");
    Ok(())
}

#[test]
fn bounds_are_read_as_people_write_them() {
    let pairs = |pairs: &[(u32, u64)]| Ok(Written::Offsets(pairs.iter().copied().collect()));
    assert_eq!(parse_bound("earliest"), Ok(Written::Earliest));
    assert_eq!(parse_bound("0:100, 1:250"), pairs(&[(0, 100), (1, 250)]));
    assert_eq!(parse_bound("2h"), Ok(Written::Moment(Moment::Ago(std::time::Duration::from_secs(7_200)))));
    assert!(matches!(parse_bound("2026-11-21T15:30:00Z"), Ok(Written::Moment(Moment::At(_)))));
    assert!(matches!(parse_bound("2026-11-21 15:30:00 UTC"), Ok(Written::Moment(Moment::At(_)))));
    for bad in ["", "now", "0:1,0:2", "0:", "1:2:3", "0:99999999999999999999999", "-1:5"] {
        assert!(!parse_bound(bad).expect_err(bad).contains('\n'), "{bad}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_one_line_that_says_what_can() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(&dir).await;
    let cases = [
        ("create --from 0:40 --to 0:30", "in[0] 40..30 ends before it begins; the log holds 0..50"),
        ("create --from 0:40 --to 0:51", "in[0] 40..51 is not all there; the log holds 0..50"),
        ("create --from 5:0 --to latest", "topic `in` has no partition 5; it has 0 to 1"),
        ("create --from earliest --from latest --to latest", "--from is given more than once"),
        ("create --from 0:1 --from 0:2 --to latest", "--from names partition 0 twice"),
        ("create --from earliest --to latest --only-sinks row", "`words` has no sink `row`; it has rows, views"),
        ("show b-none", "there is no backfill `b-none`; `backfill list` shows"),
        ("pause b-none", "there is no backfill `b-none`"),
    ];
    for (line, wanted) in cases {
        let error = run(&context, line).await.expect_err(line).to_string();
        assert!(error.contains(wanted) && !error.contains('\n'), "{line}: {error}");
    }
    let unset = AdminContext { topic: None, ..context.clone() };
    let error = run(&unset, "create --from earliest --to latest").await.unwrap_err().to_string();
    assert!(error.contains("set source.topic"), "{error}");
    for line in [
        "create --from earliest",
        "create --from earliest --to latest --share 2",
        "create --from earliest --to latest --rate 0",
        "create --from earliest --to latest --chunk 0",
        "create --from earliest --to latest -- --config x",
        "pause",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_created_shown_paused_resumed_and_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(&dir).await;
    let create =
        "create --from 0:10 --to latest --rate 50/s --workers 2 --only-sinks rows --chunk 20 --reason bug";
    run(&context, &format!("{create} --dry-run --json")).await.unwrap();
    assert!(context.backfills().list().await.unwrap().is_empty(), "a dry run creates nothing");
    run(&context, create).await.unwrap();
    let status = context.backfills().list().await.unwrap().remove(0);
    let id = status.job.id.clone();
    assert_eq!((status.total, status.chunks, status.job.rate, status.job.workers), (40, 2, Some(50), Some(2)));
    assert_eq!(line(&status), format!("{id} running: 0 of 40 records (0%), -, - left, 0 workers"));
    let text = details(&status, status.job.when_ms, false);
    assert!(text.contains("[0] 10..50") && text.contains("at most 50/s") && text.contains("only rows"), "{text}");
    assert!(table(std::slice::from_ref(&status)).show(false).contains("running"));
    assert_eq!(plan_as_json(&status.job, false)["chunks"], 2);
    for (command, state) in [("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")] {
        run(&context, &format!("{command} {id} --reason test --json")).await.unwrap();
        assert_eq!(context.backfills().show(&id).await.unwrap().state.as_str(), state);
    }
    let ended = context.backfills().show(&id).await.unwrap();
    assert!(!is_whole(&ended));
    let error = run(&context, &format!("resume {id}")).await.unwrap_err().to_string();
    assert!(error.contains("is cancelled, it cannot be resumed"), "{error}");
    run(&context, "list").await.unwrap();
    run(&context, &format!("show {id} --json")).await.unwrap();
    let audit = context.operator().audit(10).await.unwrap();
    assert_eq!(audit.len(), 4, "{audit:?}");
}

/// The job of a skip that was cancelled is made anew by the number of the skip, beside that of a seek.
#[tokio::test(start_paused = true)]
async fn what_a_skip_has_passed_over_is_known_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(&dir).await;
    let source = SpoutSource { spout: "lines".into(), topic: "in".into(), group: "g".into() };
    let (operator, backfills) = (context.operator(), context.backfills());
    let plan = operator.plan_seek(&source, &SeekTo::Offsets([(0, 10)].into())).await.unwrap();
    let sought = operator.seek(plan, "ann", "").await.unwrap().record.number;
    let ends = Draft::new("in", Bound::Earliest, Bound::Latest, "ann");
    let (plan, job) = backfills.plan_skip(&source, &SeekTo::Offsets([(1, 40)].into()), &ends).await.unwrap();
    let (seeking, job) = backfills.skip(plan, job.unwrap()).await.unwrap();
    let text = super::text::plan_as_text(&job);
    assert!(text.contains(&format!("skipped by lines (number {})", seeking.record.number)), "{text}");
    let create = format!("create --skipped-by {}", seeking.record.number);
    let error = run(&context, &create).await.unwrap_err().to_string();
    assert!(error.contains(&job.id), "they are being brought: {error}");
    run(&context, &format!("cancel {}", job.id)).await.unwrap();
    run(&context, &create).await.unwrap();
    run(&context, &format!("create --skipped-by {sought}")).await.unwrap();
    let jobs = backfills.list().await.unwrap().into_iter().filter(|status| status.job.id != job.id);
    let mut ranges: Vec<Vec<Range>> = jobs.map(|status| status.job.ranges).collect();
    ranges.sort_by_key(|ranges| ranges[0].partition);
    let range = |partition, to| vec![Range { partition, from: 0, to }];
    assert_eq!(ranges, [range(0, 10), range(1, 40)]);
}

/// The program is told which job is its own; one that ends before the job does is an error with a remedy.
#[tokio::test]
async fn a_program_that_ends_before_its_job_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(&dir).await;
    let create = "create --from earliest --to latest --program /bin/false -- --profile cluster";
    let error = run(&context, create).await.unwrap_err().to_string();
    let job = context.backfills().list().await.unwrap().remove(0).job;
    assert_eq!(job.runner.as_ref(), Some(&job.id));
    let wanted = format!("/bin/false --profile cluster {}", arguments(&job).join(" "));
    assert!(error.contains("/bin/false ended before the backfill did (exit status: 1)"), "{error}");
    assert!(error.contains(&wanted) && error.contains(&format!("backfill cancel {}", job.id)), "{error}");
    run(&context, &format!("cancel {}", job.id)).await.unwrap();
    let (text, broken) = (dir.path().join("text"), dir.path().join("broken"));
    std::fs::write(&text, "").unwrap();
    std::fs::write(&broken, "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(&broken, PermissionsExt::from_mode(0o755)).unwrap();
    for (program, said, jobs) in [
        (Path::new("/no/such"), "--program /no/such: No such file", 1),
        (dir.path(), "it is no program that can be started", 1),
        (&text, "it is no program that can be started", 1),
        (Path::new("no-such-name"), "no folder of PATH has it", 1),
        // Nothing tells before it is started.
        (&broken, "cannot start", 2),
    ] {
        let create = format!("create --from earliest --to latest --program {}", program.display());
        let error = run(&context, &create).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        let all = context.backfills().list().await.unwrap();
        assert_eq!(all.len(), jobs, "{create}");
        for open in all.iter().filter(|status| !status.is_over()) {
            run(&context, &format!("cancel {}", open.job.id)).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ranges_come_from_a_file_or_from_what_a_seek_has_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(&dir).await;
    let file = dir.path().join("gaps.jsonl");
    let gaps = "{\"from\":5,\"partition\":0,\"to\":6}\n\n{\"from\":10,\"partition\":0,\"to\":20}\n";
    std::fs::write(&file, gaps).unwrap();
    run(&context, &format!("create --ranges {}", file.display())).await.unwrap();
    let jobs = context.backfills().list().await.unwrap();
    let ranges: Vec<String> = jobs[0].job.ranges.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["[0] 5..6", "[0] 10..20"]);

    let source = SpoutSource { spout: "lines".into(), topic: "in".into(), group: "g".into() };
    let operator = context.operator();
    let plan = operator.plan_seek(&source, &SeekTo::Offsets([(1, 30)].into())).await.unwrap();
    let seeking = operator.seek(plan, "ann", "").await.unwrap();
    run(&context, &format!("create --skipped-by {}", seeking.record.number)).await.unwrap();
    let jobs = context.backfills().list().await.unwrap();
    assert_eq!(jobs[1].job.ranges.iter().map(ToString::to_string).collect::<Vec<_>>(), ["[1] 0..30"]);

    for (text, said) in [
        ("", "there is no range in it"),
        ("{\"partition\":0}", "line 1: missing field"),
        ("{\"partition\":0,\"from\":30,\"to\":29}", "ends before it begins; the log holds 0..50"),
        ("{\"partition\":0,\"from\":30,\"to\":51}", "is not all there"),
        ("{\"partition\":4,\"from\":30,\"to\":31}", "no partition 4; it has 0 to 1"),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = run(&context, &format!("create --ranges {}", file.display())).await.unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert_eq!(super::command::unbrought(&jobs[1].job), None, "it was not what passed over them");
    // A skip has one range of each partition.
    let ranges = [(0, 5, 6), (1, 10, 20)].map(|(partition, from, to)| Range { partition, from, to });
    let skip = Job { skip: Some("lines".into()), ranges: ranges.to_vec(), ..jobs[0].job.clone() };
    let remedy = super::command::unbrought(&skip).unwrap();
    assert!(remedy.contains("`backfill create --from 0:5,1:10 --to 0:6,1:20`"), "{remedy}");
    let error = run(&context, "create --skipped-by 7").await.unwrap_err().to_string();
    assert!(error.contains("no seek or skip of `words` has the number 7"), "{error}");
    assert!(parse("create --from earliest").is_err(), "both ends, or ranges");
}
