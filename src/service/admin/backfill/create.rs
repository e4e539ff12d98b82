//! `backfill create`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::bound::{Written, bound_of, parse_bound};
use super::budget::BudgetArgs;
use super::command::conclude;
use super::program::{check_program, run_program};
use super::ranges::{ranges_in, skipped_by};
use super::text::{plan_as_json, plan_as_text};
use super::watch::watch;
use crate::control::Worker;
use crate::control::backfill::Draft;
use crate::delivery::place_of;
use crate::guard::Clock;
use crate::service::admin::output::say;
use crate::service::admin::who::who;
use crate::service::admin::{AdminContext, AdminError};

/// What stands for both ends.
const RANGES: [&str; 2] = ["ranges", "skipped_by"];

/// What a job is to be.
#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// Where it begins: earliest, a time (2h, 2026-11-21T15:30:00Z), or partitions with offsets (0:100,1:250).
    #[arg(long, required_unless_present_any = RANGES, value_name = "BOUND", value_parser = parse_bound)]
    pub(super) from: Vec<Written>,
    /// Where it ends, itself not included: latest, a time, or partitions with offsets.
    #[arg(long, required_unless_present_any = RANGES, value_name = "BOUND", value_parser = parse_bound)]
    pub(super) to: Vec<Written>,
    /// Exactly the ranges of this file instead, such as `verify --missing` writes; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to", "skipped_by"])]
    pub(super) ranges: Option<PathBuf>,
    /// Exactly what the seek or skip with this number passed over; `audit list` tells that of a seek,
    /// `backfill show` that of a skip.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["from", "to"])]
    pub(super) skipped_by: Option<u64>,
    /// Only this partition; may be repeated.
    #[arg(long = "partition", value_name = "P")]
    pub(super) partitions: Vec<u32>,
    #[command(flatten)]
    pub(super) budget: BudgetArgs,
    /// Only these sinks; the others pass the records over.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) only_sinks: Vec<String>,
    /// Why, for those who look at it later.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(super) reason: String,
    /// Who wants it; the user at this host if not given.
    #[arg(long)]
    pub(super) who: Option<String>,
    /// Say what would be done, and create nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
    /// Show how far it is until it is over.
    #[arg(long)]
    pub(super) watch: bool,
    /// Have this program work at it, and nobody else: another version of the topology's binary, of the same topology
    /// name. It runs until the job is over.
    #[arg(long, value_name = "PATH", conflicts_with = "dry_run")]
    pub(super) program: Option<PathBuf>,
    /// What the program is started with, before `run`: its configuration.
    #[arg(last = true, requires = "program", value_name = "ARGS")]
    pub(super) program_args: Vec<String>,
}

impl CreateArgs {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let (backfills, draft) = (context.backfills(), self.draft(context).await?);
        check_sinks(context, &draft).await?;
        self.program.as_deref().map_or(Ok(()), check_program)?;
        let mut job = backfills.plan(&draft).await?;
        if self.dry_run {
            match self.json {
                true => say(&plan_as_json(&job, true).to_string()),
                false => say(&format!("would create\n{}", plan_as_text(&job))),
            }
            return Ok(ExitCode::SUCCESS);
        }
        job.runner = self.program.as_ref().map(|_| job.id.clone());
        backfills.put(&job).await?;
        if !self.json {
            say(&format!("created backfill {}\n{}", job.id, plan_as_text(&job)));
        }
        if let Some(program) = &self.program {
            let status = run_program(&backfills, &job, program, &self.program_args, self.watch).await?;
            return Ok(conclude(&status, self.json, true));
        }
        if !self.json {
            warn_if_nobody_brings(context).await;
        }
        match (self.watch, self.json) {
            (true, _) => Ok(conclude(&watch(&backfills, &job.id).await?, self.json, true)),
            (false, true) => {
                say(&plan_as_json(&job, false).to_string());
                Ok(ExitCode::SUCCESS)
            }
            (false, false) => {
                say(&format!("`backfill show {} --watch` shows how far it is", job.id));
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    /// The job that is wanted, as far as the command line says.
    pub(super) async fn draft(&self, context: &AdminContext) -> Result<Draft, AdminError> {
        let now_ms = Clock::wall().unix_ms();
        let exactly = match (&self.ranges, self.skipped_by) {
            (Some(path), _) => ranges_in(path)?,
            (None, Some(number)) => skipped_by(context, number).await?,
            (None, None) => Vec::new(),
        };
        let from = bound_of("--from", &self.from, now_ms).map_err(AdminError::Invalid)?;
        let to = bound_of("--to", &self.to, now_ms).map_err(AdminError::Invalid)?;
        let who = self.who.clone().unwrap_or_else(who);
        Ok(Draft {
            exactly,
            partitions: self.partitions.iter().copied().collect(),
            only_sinks: self.only_sinks.clone(),
            reason: self.reason.clone(),
            ..self.budget.of(Draft::new(context.source_topic()?, from, to, who))
        })
    }
}

/// Says so on standard error when no live worker takes chunks. The job is made, whatever is known of them.
pub(in crate::service::admin) async fn warn_if_nobody_brings(context: &AdminContext) {
    if context.operator().workers().await.is_ok_and(|workers| !workers.iter().any(Worker::takes_backfills)) {
        eprintln!("no live worker has the role all or backup: it waits until one is started");
    }
}

/// Refuses sinks that the topology does not have, so far as its retry topics tell: nothing would be stored, silently.
async fn check_sinks(context: &AdminContext, draft: &Draft) -> Result<(), AdminError> {
    let topics = context.broker.topics().await?;
    let mut known: Vec<&str> =
        topics.iter().filter_map(|topic| Some(place_of(&context.topology, &topic.name)?.0)).collect();
    known.dedup();
    match draft.only_sinks.iter().find(|sink| !known.is_empty() && !known.contains(&sink.as_str())) {
        Some(unknown) => Err(AdminError::UnknownName(format!(
            "`{}` has no sink `{unknown}`; it has {}",
            context.topology,
            known.join(", ")
        ))),
        None => Ok(()),
    }
}
