//! The commands.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::create::CreateArgs;
use super::text::{details, table};
use super::watch::watch;
use crate::control::backfill::{BackfillError, Job, Range, Status};
use crate::guard::Clock;
use crate::service::admin::output::{colours, say};
use crate::service::admin::who::who;
use crate::service::admin::{AdminContext, AdminError};

/// Jobs that process a range of the log beside the live stream.
#[derive(Debug, Clone, Subcommand)]
pub enum BackfillCommand {
    /// Have a range of the log processed (again).
    Create(Box<CreateArgs>),
    /// Show all jobs, the newest last.
    List {
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Show one job: how far it is, and who is at it.
    Show(ShowJobArgs),
    /// Let a job rest where it is.
    Pause(ChangeJobArgs),
    /// Let a job that rests go on.
    Resume(ChangeJobArgs),
    /// End a job as it is, for good.
    Cancel(ChangeJobArgs),
}

/// Which job to look at, and how.
#[derive(Debug, Clone, Args)]
pub struct ShowJobArgs {
    /// Its name.
    pub(super) id: String,
    /// Go on showing it until it is over.
    #[arg(long)]
    pub(super) watch: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

/// Which job to change, and why.
#[derive(Debug, Clone, Args)]
pub struct ChangeJobArgs {
    /// Its name.
    pub(super) id: String,
    /// Why, for those who look at it later.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(super) reason: String,
    /// Who wants it; the user at this host if not given.
    #[arg(long)]
    pub(super) who: Option<String>,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

impl BackfillCommand {
    pub(in crate::service::admin) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let backfills = context.backfills();
        let (args, status) = match self {
            Self::Create(args) => return args.run(context).await,
            Self::List { json } => {
                let jobs = backfills.list().await?;
                match (json, jobs.is_empty()) {
                    (true, _) => say(&json!({ "backfills": jobs }).to_string()),
                    (false, true) => say(&format!("`{}` has no backfills", context.topology)),
                    (false, false) => say(&table(&jobs).show(colours())),
                }
                return Ok(ExitCode::SUCCESS);
            }
            Self::Show(args) => {
                let status = match args.watch {
                    true => watch(&backfills, &args.id).await?,
                    false => backfills.show(&args.id).await?,
                };
                return Ok(conclude(&status, args.json, args.watch));
            }
            Self::Pause(args) => (args, backfills.pause(&args.id, &args.who(), &args.reason).await),
            Self::Resume(args) => (args, backfills.resume(&args.id, &args.who(), &args.reason).await),
            Self::Cancel(args) => {
                let status = backfills.cancel(&args.id, &args.who(), &args.reason).await?;
                if let Some(remedy) = unbrought(&status.job) {
                    eprintln!("{remedy}");
                }
                return Ok(conclude(&status, args.json, false));
            }
        };
        Ok(conclude(&status?, args.json, false))
    }
}

/// What to do about records that a spout has passed over, or will as soon as it can, and that nobody brings any more.
pub(super) fn unbrought(job: &Job) -> Option<String> {
    let spout = job.skip.as_ref()?;
    let ends = |end: fn(&Range) -> u64| {
        let pairs = job.ranges.iter().map(|range| format!("{}:{}", range.partition, end(range)));
        pairs.collect::<Vec<_>>().join(",")
    };
    let (from, to) = (ends(|range| range.from), ends(|range| range.to));
    Some(format!(
        "spout {spout} passes over these records, and nobody brings them now; \
         `backfill create --from {from} --to {to}` does"
    ))
}

impl ChangeJobArgs {
    fn who(&self) -> String {
        self.who.clone().unwrap_or_else(who)
    }
}

/// Shows how a job stands. One whose end was waited for must have come to it whole.
pub(super) fn conclude(status: &Status, json: bool, waited: bool) -> ExitCode {
    if json {
        say(&serde_json::to_string(status).expect("texts and finite numbers are always JSON"));
    } else {
        say(&details(status, Clock::wall().unix_ms(), colours()));
    }
    ExitCode::from(u8::from(waited && !is_whole(status)))
}

/// Whether a job is finished and nothing of it was lost.
pub(super) fn is_whole(status: &Status) -> bool {
    status.finished_ms.is_some() && status.lost.is_empty()
}

impl From<BackfillError> for AdminError {
    fn from(error: BackfillError) -> Self {
        Self::Backfill(Box::new(error))
    }
}
