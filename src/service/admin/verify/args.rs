//! `verify`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::bound::{Given, parse_bound};
use super::report::as_text;
use crate::control::backfill::Job;
use crate::guard::Clock;
use crate::service::admin::AdminError;
use crate::service::admin::output::{colours, say};
use crate::service::progress_count;
use crate::service::verify::{
    Bound, Expect, MissingRanges, Range, Report, Sample, Settings, Source, Verifier, VerifyError, ranges,
};

/// Status when records are missing.
const MISSING: u8 = 7;

/// Which records to verify, and how.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// From where on: earliest, latest, P:O,P:O… (offsets of these partitions alone), 2h (ago), 2026-11-21T15:30:00Z, or
    /// milliseconds since 1970.
    #[arg(long, default_value = "earliest", value_name = "BOUND", value_parser = parse_bound)]
    from: Given,
    /// Up to where, this one not included; as --from. The end is that of the log at the call.
    #[arg(long, default_value = "latest", value_name = "BOUND", value_parser = parse_bound)]
    to: Given,
    /// Look at so many records only, evenly spread over the range.
    #[arg(long, value_name = "RECORDS", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    /// Chooses the sample; the same seed gives the same one.
    #[arg(long, default_value_t = 1, requires = "sample")]
    seed: u64,
    /// Write the ranges of missing records to this file, one JSON object a line; `backfill create --ranges` takes it.
    #[arg(long, value_name = "FILE")]
    missing: Option<PathBuf>,
    /// How many places of records that wait or are dead may be held, about 50 bytes each.
    #[arg(long, default_value_t = 1_000_000, value_name = "RECORDS", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    max_aside: u32,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

impl VerifyArgs {
    /// Verifies, and prints what was found: the status is 0 when nothing is missing, and 7 otherwise.
    ///
    /// # Errors
    /// What kept it from being found out, in one line.
    pub async fn run<E: Expect>(&self, source: Source, expect: &E) -> Result<ExitCode, AdminError> {
        let report = self.verify(source, expect).await?;
        if report.beside > 0 {
            eprintln!("{}", beside(report.beside));
        }
        if self.json {
            say(&report.json().to_string());
        } else {
            say(&as_text(&report, self.missing.as_deref(), colours()));
        }
        Ok(if report.missing > 0 { ExitCode::from(MISSING) } else { ExitCode::SUCCESS })
    }

    async fn verify<E: Expect>(&self, source: Source, expect: &E) -> Result<Report, VerifyError> {
        let now_ms = Clock::new().unix_ms();
        let (from, to): (Bound, Bound) = (self.from.bound(now_ms), self.to.bound(now_ms));
        let ranges = ranges(&source, &from, &to).await?;
        let sample = self.sample.map(|count| Sample { count, seed: self.seed });
        let missing = self.missing.as_deref().map(MissingRanges::create).transpose()?;
        let settings = Settings { sample, max_aside: self.max_aside as usize, ..Settings::default() };
        let offsets: u64 = ranges.iter().map(Range::length).sum();
        let bar = (!self.json).then(|| progress_count(self.sample.unwrap_or(offsets).min(offsets), "verified"));
        let told = |done| bar.iter().for_each(|bar| bar.set_position(done));
        let report = Verifier::new(source, expect, settings).run(&ranges, missing, told).await;
        if let Some(bar) = &bar {
            bar.finish_and_clear();
        }
        report
    }
}

/// That the file has more than what is missing.
fn beside(offsets: u64) -> String {
    let most = Job::MAX_RANGES;
    format!(
        "a backfill takes at most {most} ranges: the nearest are merged, and {offsets} offsets between missing records \
         are in the file too; of these, what is stored stays as it is, what was skipped on purpose is processed, and \
         what is dead gets another letter"
    )
}
