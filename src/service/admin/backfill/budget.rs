//! How fast a job is worked at.

use clap::Args;

use crate::control::backfill::{Draft, Job};

/// How fast a job is worked at, and by how many.
#[derive(Debug, Clone, Args)]
pub struct BudgetArgs {
    /// Records a second over all workers, such as 5000 or 5000/s; as fast as --share lets if not given.
    #[arg(long, value_name = "N/s", value_parser = parse_rate)]
    rate: Option<u64>,
    /// How much of the stores' time all workers together may take.
    #[arg(long, default_value_t = Job::SHARE, value_name = "0.001-1", value_parser = parse_share)]
    share: f64,
    /// How many tasks may be at it at a time, over all processes; no bound if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    workers: Option<u32>,
    /// Records that a worker takes at a time, and that another one takes over when it dies.
    #[arg(long, default_value_t = Job::CHUNK, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    chunk: u64,
}

impl BudgetArgs {
    /// The draft, to be worked at like this.
    pub(in crate::service::admin) fn of(&self, draft: Draft) -> Draft {
        let Self { rate, share, workers, chunk } = *self;
        Draft { rate, share, workers, chunk, ..draft }
    }
}

fn parse_rate(text: &str) -> Result<u64, String> {
    match text.strip_suffix("/s").unwrap_or(text).parse() {
        Ok(rate @ 1..=100_000_000) => Ok(rate),
        _ => Err(format!("`{text}` is no rate; write it as 5000/s, from 1/s on")),
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (Job::MIN_SHARE..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("`{text}` is no share; it lies between {} and 1", Job::MIN_SHARE)),
    }
}
