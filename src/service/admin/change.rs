//! A change, and what the workers say to it.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::output::{Cell, Tone, colours, say};
use super::time::{parse_duration, show_took, show_utc};
use super::who::who;
use super::{AdminContext, AdminError};
use crate::control::{Answers, Change, Changed, Key, Operator, Planned, Worker, WorkerAnswer};

/// Status of a change that some live worker has not applied in time.
pub(super) const NOT_APPLIED: u8 = 5;

/// What to change, and how.
#[derive(Debug, Clone, Args)]
pub struct ChangeArgs {
    /// Which one; `list` shows them.
    pub(in crate::service) name: String,
    /// For how long, such as 30s, 30m, 2h or 1d; then it goes back by itself.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub(in crate::service) lasts: Option<Duration>,
    /// Why, for those who look at it later.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(in crate::service) reason: String,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(in crate::service) json: bool,
    /// Say what would be changed, and change nothing.
    #[arg(long)]
    pub(in crate::service) dry_run: bool,
    /// How long to wait until every live worker has applied it.
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub(in crate::service) wait: u64,
    /// Change it even if no worker knows the name, as when none runs.
    #[arg(long)]
    pub(in crate::service) force: bool,
    /// Who wants it; the user at this host if not given.
    #[arg(long)]
    pub(in crate::service) who: Option<String>,
}

/// Makes the change and prints what came of it.
pub(super) async fn carry_out(
    context: &AdminContext,
    key: Key,
    value: &str,
    args: &ChangeArgs,
) -> Result<ExitCode, AdminError> {
    let outcome = change(&context.operator(), &context.topology, key, value, args).await?;
    if args.json {
        say(&outcome.json().to_string());
    } else {
        say(&outcome.text(colours()));
    }
    Ok(ExitCode::from(outcome.status()))
}

/// What came of a change.
pub(in crate::service) struct Outcome {
    key: Key,
    change: Change,
    before: String,
    /// What it is while no change is in force.
    default: String,
    /// `None` for a dry run.
    offset: Option<u64>,
    answers: Answers,
}

/// Checks the name, makes the change and waits for the workers; or only looks, for a dry run.
pub(in crate::service) async fn change(
    operator: &Operator,
    topology: &str,
    key: Key,
    value: &str,
    args: &ChangeArgs,
) -> Result<Outcome, AdminError> {
    let workers = operator.workers().await?;
    if !args.force {
        check_name(topology, &key, &workers)?;
    }
    let who = args.who.clone().unwrap_or_else(who);
    if args.dry_run {
        let Planned { change, before, default } =
            operator.plan(&key, value, &who, &args.reason, args.lasts).await?;
        let answers = Answers(workers.iter().filter_map(|worker| unanswered(worker, &key)).collect());
        return Ok(Outcome { key, change, before, default, offset: None, answers });
    }
    let changed = operator.change(&key, value, &who, &args.reason, args.lasts).await?;
    let answers = operator.await_applied(&changed, Duration::from_secs(args.wait)).await?;
    let Changed { change, before, default, offset, .. } = changed;
    Ok(Outcome { key, change, before, default, offset: Some(offset), answers })
}

/// The live workers that have not applied it, each on its own line.
fn not_applied(answers: &Answers, colours: bool) -> String {
    let mut lines = Vec::new();
    let silent = answers.missing().filter(|answer| answer.instead.is_none());
    let silent: Vec<_> = silent.map(|answer| answer.worker.as_str()).collect();
    if !silent.is_empty() {
        lines.push(format!("not yet: {}; `workers list` shows them", silent.join(", ")));
    }
    for WorkerAnswer { worker, instead, .. } in answers.missing() {
        if let Some(value) = instead {
            lines.push(format!(
                "{worker} has {value}: by its clock the time is over; set its clock, or give more time"
            ));
        }
    }
    lines.into_iter().map(|line| format!("\n{}", Cell::new(line, Tone::Bad).show(colours))).collect()
}

fn unanswered(worker: &Worker, key: &Key) -> Option<WorkerAnswer> {
    worker.heartbeat.applied(key)?;
    Some(WorkerAnswer { worker: worker.worker.clone(), after: None, instead: None, live: worker.live })
}

/// Refuses a name that no worker knows, with those that one does.
fn check_name(topology: &str, key: &Key, workers: &[Worker]) -> Result<(), AdminError> {
    let names = workers.iter().flat_map(|worker| worker.heartbeat.all(key));
    let names: BTreeSet<&str> = names.map(|applied| applied.name.as_str()).collect();
    let (kind, name) = (key.kind(), key.name());
    if names.contains(name) {
        return Ok(());
    }
    if workers.is_empty() {
        return Err(AdminError::UnknownName(format!(
            "no worker of `{topology}` runs, so nobody knows a {kind} `{name}`; --force sets it for the next start"
        )));
    }
    let nearest = names.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name));
    let nearest = nearest.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
    let known = if names.is_empty() { "none".to_owned() } else { Vec::from_iter(names).join(", ") };
    Err(AdminError::UnknownName(format!(
        "no worker has a {kind} `{name}`; known are {known}{nearest} --force sets it anyway"
    )))
}

impl Outcome {
    /// The status for the process.
    pub(in crate::service) fn status(&self) -> u8 {
        if self.offset.is_none() || self.answers.all_applied() { 0 } else { NOT_APPLIED }
    }

    /// What the key is once nothing more happens by itself.
    fn lasting(&self) -> &str {
        self.change.lasting().map_or(&self.default, |value| self.meant(value))
    }

    /// What a value is here.
    fn meant<'a>(&'a self, value: &'a str) -> &'a str {
        if self.key.clear_value() == Some(value) { &self.default } else { value }
    }

    /// For people.
    pub(super) fn text(&self, colours: bool) -> String {
        let Self { key, change, before, offset, answers, .. } = self;
        let (kind, name) = (key.kind(), key.name());
        let value = Cell::new(self.meant(&change.value), Tone::Head).show(colours);
        let until = change.expires_ms.map(|ms| format!(" until {}, then {}", show_utc(ms), self.lasting()));
        let until = until.unwrap_or_default();
        if offset.is_none() {
            let live = answers.missing().count();
            return format!(
                "would turn {kind} {name} to {value}{until}; it is {before}; live workers with it: {live}"
            );
        }
        let (applied, missing) = (answers.applied().count(), answers.missing().count());
        let mut text = format!("{kind} {name} is {value} (was {before}){until}\n");
        match answers.took() {
            None if missing == 0 => text.push_str("no worker has it now; it holds for those that start"),
            took => {
                let of = applied + missing;
                let took = took.map(|took| format!(" in {}", show_took(took))).unwrap_or_default();
                text.push_str(&format!("{applied} of {of} workers applied it{took}"));
            }
        }
        if missing > 0 {
            text.push_str(&not_applied(answers, colours));
        }
        let silent: Vec<_> = answers.0.iter().filter(|answer| answer.after.is_none() && !answer.live).collect();
        if !silent.is_empty() {
            let names: Vec<_> = silent.iter().map(|answer| answer.worker.as_str()).collect();
            text.push_str(&format!("\nsilent, and not waited for: {}", names.join(", ")));
        }
        text
    }

    /// For programs.
    pub(in crate::service) fn json(&self) -> serde_json::Value {
        let ms = |took: Duration| took.as_millis() as u64;
        let Self { key, change, before, offset, answers, .. } = self;
        let worker = |answer: &WorkerAnswer| json!({ "worker": answer.worker, "live": answer.live, "after_ms": answer.after.map(ms), "instead": answer.instead });
        json!({
            "key": key.to_string(),
            "value": change.value,
            "before": before,
            "who": change.who,
            "reason": change.reason,
            "expires_ms": change.expires_ms,
            "then": change.expires_ms.map(|_| self.lasting()),
            "dry_run": offset.is_none(),
            "offset": offset,
            "applied": answers.applied().count(),
            "of": answers.applied().count() + answers.missing().count(),
            "elapsed_ms": answers.took().map(ms),
            "workers": answers.0.iter().map(worker).collect::<Vec<_>>(),
        })
    }
}
