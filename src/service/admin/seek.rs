//! `seek`

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::change::NOT_APPLIED;
use super::moment::parse_moment;
use super::output::{Cell, Table, Tone, colours, say};
use super::source::spout;
use super::time::show_took;
use super::who::who;
use super::{AdminContext, AdminError};
use crate::control::{PlannedMove, SeekAnswers, SeekPlan, SeekTo};
use crate::guard::Clock;

/// Where to go on.
#[derive(Debug, Clone, Args)]
pub struct SeekArgs {
    /// `latest`, `earliest`, offsets by partition such as `0:100,3:250`, or a time: 2h (ago), 2026-11-21T15:30:00Z.
    #[arg(long, value_name = "WHERE", value_parser = parse_to)]
    pub(super) to: Where,
    #[command(flatten)]
    pub(super) how: MoveArgs,
}

/// How a spout is moved.
#[derive(Debug, Clone, Args)]
pub struct MoveArgs {
    /// Which spout, where the topology has several.
    #[arg(long, value_name = "NAME")]
    pub(super) spout: Option<String>,
    /// Why, for those who look at it later.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(super) reason: String,
    /// Who wants it; the user at this host if not given.
    #[arg(long)]
    who: Option<String>,
    /// How long to wait until every partition has moved.
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3600))]
    wait: u64,
    /// Say what would be skipped and what repeated, and move nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

impl MoveArgs {
    pub(super) fn who(&self) -> String {
        self.who.clone().unwrap_or_else(who)
    }

    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.wait)
    }
}

/// Where to go on, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Where {
    Earliest,
    Latest,
    Offsets(BTreeMap<u32, u64>),
    Time(super::moment::Moment),
}

impl Where {
    /// What it means at this time.
    pub(super) fn at(&self, now_ms: i64) -> SeekTo {
        match self {
            Self::Earliest => SeekTo::Earliest,
            Self::Latest => SeekTo::Latest,
            Self::Offsets(offsets) => SeekTo::Offsets(offsets.clone()),
            Self::Time(moment) => SeekTo::Time(moment.unix_ms(now_ms)),
        }
    }
}

/// Reads `latest`, `earliest`, `0:100,3:250`, or a time.
pub(super) fn parse_to(text: &str) -> Result<Where, String> {
    match text.trim() {
        "earliest" => return Ok(Where::Earliest),
        "latest" => return Ok(Where::Latest),
        _ => {}
    }
    match parse_offsets(text) {
        Some(offsets) => offsets.map(Where::Offsets),
        None => parse_moment(text).map(Where::Time).map_err(|_| {
            format!(
                "`{text}` is no place; write latest, earliest, offsets as 0:100,3:250, or a time as 2h (ago) or \
                 2026-11-21T15:30:00Z"
            )
        }),
    }
}

/// Offsets by partition; `None` when the text is something else.
fn parse_offsets(text: &str) -> Option<Result<BTreeMap<u32, u64>, String>> {
    let mut offsets = BTreeMap::new();
    for part in text.split(',') {
        let (partition, offset) = part.trim().split_once(':')?;
        let (partition, offset) = (partition.parse().ok()?, offset.parse().ok()?);
        if offsets.insert(partition, offset).is_some() {
            return Some(Err(format!("`{text}` names partition {partition} twice")));
        }
    }
    Some(Ok(offsets))
}

impl SeekArgs {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let outcome = seek(context, self, Clock::wall()).await?;
        if self.how.json {
            say(&outcome.json().to_string());
        } else {
            say(&outcome.text(colours()));
        }
        Ok(ExitCode::from(outcome.status()))
    }
}

/// What came of a seek.
pub(super) struct Outcome {
    pub(super) plan: SeekPlan,
    /// Number of the seek; `None` for a dry run, or when there is nothing to move.
    pub(super) number: Option<u64>,
    pub(super) answers: SeekAnswers,
    pub(super) dry_run: bool,
}

pub(super) async fn seek(context: &AdminContext, args: &SeekArgs, clock: Clock) -> Result<Outcome, AdminError> {
    let operator = context.operator();
    let how = &args.how;
    let source = spout(context, how.spout.as_deref()).await?;
    let plan = operator.plan_seek(&source, &args.to.at(clock.unix_ms())).await?;
    let dry_run = how.dry_run;
    if dry_run || plan.moves.is_empty() {
        return Ok(Outcome { plan, number: None, answers: SeekAnswers::default(), dry_run });
    }
    let seeking = operator.seek(plan, &how.who(), &how.reason).await?;
    let answers = operator.await_sought(&seeking, how.patience()).await;
    Ok(Outcome { number: Some(seeking.record.number), plan: seeking.plan, answers, dry_run })
}

impl Outcome {
    pub(super) fn status(&self) -> u8 {
        if self.answers.missing.is_empty() { 0 } else { NOT_APPLIED }
    }

    pub(super) fn text(&self, colours: bool) -> String {
        let spout = &self.plan.source.spout;
        if self.plan.moves.is_empty() {
            return format!("spout {spout} has no partition to move");
        }
        let mut text = as_table(&self.plan.moves).show(colours);
        let (skipped, repeated) = self.plan.totals();
        let would = if self.dry_run { "would go" } else { "goes" };
        text.push_str(&format!("spout {spout} {would} on there: {skipped} records skipped, {repeated} repeated"));
        if self.dry_run {
            return text;
        }
        let (moved, of) = (self.answers.moved.len(), self.plan.moves.len());
        let took = self.answers.took().map(|took| format!(" in {}", show_took(took))).unwrap_or_default();
        text.push_str(&format!("\n{moved} of {of} partitions moved{took}"));
        if !self.answers.missing.is_empty() {
            let missing: Vec<_> = self.answers.missing.iter().map(u32::to_string).collect();
            let missing = format!("not yet: {}; they move when a worker has them", missing.join(", "));
            text.push_str(&format!("\n{}", Cell::new(missing, Tone::Bad).show(colours)));
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let (skipped, repeated) = self.plan.totals();
        let moved = |(partition, (worker, after)): (&u32, &(String, Duration))| json!({ "partition": partition, "worker": worker, "after_ms": after.as_millis() as u64 });
        json!({
            "spout": self.plan.source.spout,
            "topic": self.plan.source.topic,
            "dry_run": self.dry_run,
            "number": self.number,
            "moves": self.plan.moves,
            "skipped": skipped,
            "repeated": repeated,
            "moved": self.answers.moved.iter().map(moved).collect::<Vec<_>>(),
            "missing": self.answers.missing,
            "elapsed_ms": self.answers.took().map(|took| took.as_millis() as u64),
        })
    }
}

fn as_table(moves: &[PlannedMove]) -> Table<6> {
    let mut table = Table::new(["PARTITION", "FROM", "TO", "SKIPPED", "REPEATED", "LOST"]);
    for PlannedMove { partition, from, to, skipped, repeated, lost } in moves {
        let lost =
            lost.map(|gap| format!("{} ({} to {})", gap.to - gap.from, gap.from, gap.to)).unwrap_or_default();
        let count = |n: &u64| Cell::new(n.to_string(), if *n > 0 { Tone::Notable } else { Tone::Plain });
        table.row([
            partition.to_string().into(),
            from.to_string().into(),
            to.to_string().into(),
            count(skipped),
            count(repeated),
            Cell::new(lost, Tone::Bad),
        ]);
    }
    table
}
