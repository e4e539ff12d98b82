//! `skip`

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::backfill::BudgetArgs;
use super::output::{colours, say};
use super::seek::{Outcome, Where, parse_to};
use super::source::spout;
use super::who::who;
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
    /// Which spout, where the topology has several.
    #[arg(long, value_name = "NAME")]
    pub(super) spout: Option<String>,
    #[command(flatten)]
    pub(super) budget: BudgetArgs,
    /// Why, for those who look at it later.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(super) reason: String,
    /// Who wants it; the user at this host if not given.
    #[arg(long)]
    pub(super) who: Option<String>,
    /// How long to wait until every partition has moved.
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub(super) wait: u64,
    /// Say what would be skipped, and skip nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

impl SkipArgs {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let skipped = skip(context, self, Clock::wall()).await?;
        if self.json {
            say(&skipped.json().to_string());
        } else {
            say(&skipped.text(colours()));
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
    let source = spout(context, args.spout.as_deref()).await?;
    let backfills = Backfills::new(context.broker.clone(), &context.topology, clock);
    let draft = Draft {
        reason: args.reason.clone(),
        ..args.budget.of(Draft::new(
            &source.topic,
            Bound::Earliest,
            Bound::Latest,
            args.who.clone().unwrap_or_else(who),
        ))
    };
    let (plan, job) = backfills.plan_skip(&source, &args.to.at(clock.unix_ms()), &draft).await?;
    let dry_run = args.dry_run;
    let Some(job) = job.filter(|_| !dry_run) else {
        let seek = Outcome { plan, number: None, answers: SeekAnswers::default(), dry_run };
        return Ok(Skipped { seek, job: None });
    };
    let (seeking, job) = backfills.skip(plan, job).await?;
    let answers = context.operator().await_sought(&seeking, Duration::from_secs(args.wait)).await?;
    let seek = Outcome { number: Some(seeking.number), plan: seeking.plan, answers, dry_run };
    Ok(Skipped { seek, job: Some(job) })
}

impl Skipped {
    pub(super) fn text(&self, colours: bool) -> String {
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
