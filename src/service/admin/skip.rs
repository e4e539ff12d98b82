//! `skip`

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::backfill::{BudgetArgs, warn_if_nobody_brings};
use super::output::{colours, say};
use super::seek::{MoveArgs, Outcome, Where, parse_to};
use super::source::spout;
use super::{AdminContext, AdminError};
use crate::control::SeekAnswers;
use crate::control::backfill::{Backfills, Bound, Draft, Job};
use crate::guard::Clock;

/// What to skip, and how it is brought later.
#[derive(Debug, Clone, Args)]
pub struct SkipArgs {
    /// Where the spout goes on: `latest`, offsets by partition such as `0:100,3:250`, or a time: 2h (ago),
    /// 2026-11-21T15:30:00Z.
    #[arg(long, default_value = "latest", value_name = "WHERE", value_parser = parse_to)]
    pub(super) to: Where,
    #[command(flatten)]
    pub(super) budget: BudgetArgs,
    #[command(flatten)]
    pub(super) how: MoveArgs,
}

impl SkipArgs {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let skipped = skip(context, self, Clock::wall()).await?;
        if self.how.json {
            say(&skipped.json().to_string());
        } else {
            say(&skipped.text(colours()));
            if skipped.job.is_some() {
                warn_if_nobody_brings(context).await;
            }
        }
        Ok(ExitCode::from(skipped.seek.status()))
    }
}

/// What came of a skip.
pub(super) struct Skipped {
    pub(super) seek: Outcome,
    /// What brings it later; `None` when nothing is skipped.
    job: Option<Job>,
}

pub(super) async fn skip(context: &AdminContext, args: &SkipArgs, clock: Clock) -> Result<Skipped, AdminError> {
    let how = &args.how;
    let source = spout(context, how.spout.as_deref()).await?;
    let backfills = Backfills::new(context.broker.clone(), &context.topology, clock);
    let ends = Draft::new(&source.topic, Bound::Earliest, Bound::Latest, how.who());
    let draft = Draft { reason: how.reason.clone(), ..args.budget.of(ends) };
    let (plan, job) = backfills.plan_skip(&source, &args.to.at(clock.unix_ms()), &draft).await?;
    let dry_run = how.dry_run;
    let Some(job) = job.filter(|_| !dry_run) else {
        let seek = Outcome { plan, number: None, answers: SeekAnswers::default(), dry_run };
        return Ok(Skipped { seek, job: None });
    };
    let (seeking, job) = backfills.skip(plan, job).await?;
    let answers = context.operator().await_sought(&seeking, how.patience()).await;
    let seek = Outcome { number: Some(seeking.record.number), plan: seeking.plan, answers, dry_run };
    Ok(Skipped { seek, job: Some(job) })
}

impl Skipped {
    pub(super) fn text(&self, colours: bool) -> String {
        if self.job.is_none() && !self.seek.dry_run {
            return "there is nothing to skip".to_owned();
        }
        let mut text = self.seek.text(colours);
        if let Some(job) = &self.job {
            text.push_str(&format!(
                "\nbackfill {} brings them; `backfill show {} --watch` shows how far it is",
                job.id, job.id
            ));
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let mut json = self.seek.json();
        json["backfill"] = json!(self.job);
        json
    }
}
