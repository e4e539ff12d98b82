//! `lag` and `seek`.

use super::*;
use crate::broker::{Append, TopicSpec};
use crate::control::SpoutSource;
use crate::service::admin::{lag, seek, skip};

fn lines() -> SpoutSource {
    SpoutSource { spout: "lines".into(), topic: "source".into(), group: "g".into() }
}

/// A topic of two partitions with 10 records each, of which the group has committed 4 and none.
async fn filled() -> Stage {
    let mut stage = stage().await;
    let broker = &stage.context.broker;
    broker.create_topic(&TopicSpec::new("source", 2)).await.unwrap();
    let record = |partition| Append { partition: Some(partition), value: Some("x".into()), ..Append::default() };
    let records = (0..20).map(|at| record(at % 2)).collect();
    broker.producer().unwrap().append("source", records).await.unwrap();
    broker.reset("g", "source", &[(0, 4)]).await.unwrap();
    stage.context.spouts = vec![lines()];
    stage
}

async fn sought(stage: &Stage, line: &str) -> Result<seek::Outcome, AdminError> {
    let AdminCommand::Seek(args) = parse(line).unwrap() else { panic!("{line}") };
    seek::seek(&stage.context, &args, stage.clock).await
}

#[tokio::test(start_paused = true)]
async fn the_lag_of_each_partition_is_a_row() {
    let stage = filled().await;
    let AdminCommand::Lag(args) = parse("lag --over 0s").unwrap() else { panic!() };
    let lags = lag::look(&stage.context, args.spout.as_deref(), args.over).await.unwrap();
    let table = lag::as_table(&lags).show(false);
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..5], ["lines", "0", "4", "10", "6"]);
    assert_eq!(rows[1][..5], ["lines", "1", "-", "10", "10"]);
    assert!(table.contains("does not shrink") && table.contains("nobody"), "{table}");
    let json = lag::lag_as_json(&lags[0]);
    assert_eq!((&json["lag"], &json["partitions"][0]["committed"]), (&16.into(), &4.into()));
    parse("lag --json").unwrap().run(&stage.context).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_would_be_skipped_and_repeated_and_moves_nothing() {
    let stage = filled().await;
    let outcome = sought(&stage, "seek --to latest --dry-run").await.unwrap();
    let text = outcome.text(false);
    assert!(text.ends_with("spout lines would go on there: 16 records skipped, 0 repeated"), "{text}");
    let outcome = sought(&stage, "seek --to 0:0,1:0 --dry-run").await.unwrap();
    let json = outcome.json();
    assert_eq!((&json["repeated"], &json["moves"][1]["repeated"]), (&4.into(), &0.into()));
    assert_eq!((outcome.status(), &json["dry_run"], &json["number"]), (0, &true.into(), &serde_json::Value::Null));
    assert!(stage.operator().audit(10).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_seek_that_nobody_applies_says_so_and_holds_for_whoever_starts() {
    let stage = filled().await;
    let outcome = sought(&stage, "seek --to latest --wait 1 --reason news --who ann@desk").await.unwrap();
    let text = outcome.text(false);
    assert!(text.contains("0 of 2 partitions moved\nnot yet: 0, 1; they move when a worker has them"), "{text}");
    assert_eq!(outcome.status(), 5);
    let audit = stage.operator().audit(1).await.unwrap().remove(0);
    assert_eq!((audit.action.as_str(), audit.reason.as_str(), audit.who.as_str()), ("seek", "news", "ann@desk"));
}

/// What is wrong, and what is said.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_refused_with_what_can() {
    let stage = filled().await;
    for (line, said) in [
        ("seek --to 2:0", "source has no partition 2; it has 0 to 1"),
        ("seek --to 1:11", "source[1] has no offset 11; it holds 0 to 10, which is the end"),
        ("seek --to latest --spout words", "`words` has no spout `words`; known are lines"),
    ] {
        let error = sought(&stage, line).await.err().expect(line).to_string();
        assert_eq!(error, said);
    }
    for (line, said) in [
        ("seek", "--to <WHERE>"),
        ("seek --to soon", "write latest, earliest, offsets as 0:100,3:250"),
        ("seek --to 0:1,0:2", "names partition 0 twice"),
        ("seek --to -5", "unexpected argument"),
        ("lag --over 2h", "more than an hour"),
        ("lag --over 5", "30s, 30m"),
        ("lag --watch --json", "cannot be used with"),
    ] {
        let error = parse(line).expect_err(line);
        assert!(error.contains(said), "{line}: {error}");
    }
    let unknown = AdminContext { spouts: Vec::new(), ..stage.context.clone() };
    let AdminCommand::Lag(args) = parse("lag").unwrap() else { panic!() };
    let error = lag::look(&unknown, args.spout.as_deref(), args.over).await.unwrap_err().to_string();
    assert!(error.contains("no worker of `words` runs") && error.contains("own binary"), "{error}");
    let two = vec![lines(), SpoutSource { spout: "more".into(), ..lines() }];
    let several = Stage { context: AdminContext { spouts: two, ..stage.context.clone() }, ..stage };
    let error = sought(&several, "seek --to latest").await.err().unwrap().to_string();
    assert_eq!(error, "`words` has several spouts: give --spout, one of lines, more");
    assert!(several.operator().audit(10).await.unwrap().is_empty(), "nothing was done");
}

#[tokio::test(start_paused = true)]
async fn a_skip_makes_a_job_of_what_it_passes_over() {
    let stage = filled().await;
    let skipped = async |line: &str| {
        let AdminCommand::Skip(args) = parse(line).unwrap() else { panic!("{line}") };
        skip::skip(&stage.context, &args, stage.clock).await
    };
    let text = skipped("skip --dry-run").await.unwrap().text(false);
    assert!(text.ends_with("spout lines would go on there: 16 records skipped, 0 repeated"), "{text}");
    assert!(stage.context.backfills().list().await.unwrap().is_empty());

    let done =
        skipped("skip --to latest --wait 0 --rate 500/s --share 0.5 --chunk 3 --reason news").await.unwrap();
    let (text, json) = (done.text(false), done.json());
    assert!(text.contains("0 of 2 partitions moved") && text.contains("brings them; `backfill show b-"), "{text}");
    assert_eq!((done.seek.status(), &json["skipped"]), (5, &16.into()));
    let job = &stage.context.backfills().list().await.unwrap()[0].job;
    assert_eq!(json["backfill"]["id"], job.id);
    assert_eq!((job.rate, job.share, job.chunk, job.reason.as_str()), (Some(500), 0.5, 3, "news"));
    assert_eq!((job.skip.as_deref(), job.total()), (Some("lines"), 16));

    let nothing = skipped("skip --to 0:4").await.unwrap();
    assert_eq!((nothing.text(false).as_str(), nothing.seek.status()), ("there is nothing to skip", 0));
    let error = skipped("skip").await.err().unwrap().to_string();
    assert!(error.contains(&job.id) && error.contains("not over"), "asked for twice: {error}");
    let error = skipped("skip --to 0:1").await.err().unwrap().to_string();
    assert!(error.contains("use `seek`"), "{error}");
    assert!(parse("skip --share 2").unwrap_err().contains("between 0.001 and 1"));
}
