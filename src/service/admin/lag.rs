//! `lag`

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::output::{Cell, Table, Tone, colours, say};
use super::source::{spout, spouts};
use super::time::{parse_duration, show_took};
use super::{AdminContext, AdminError};
use crate::control::{PartitionLag, SpoutSource};

/// How far the spouts are behind.
#[derive(Debug, Clone, Args)]
pub struct LagArgs {
    /// Only this spout.
    #[arg(long, value_name = "NAME")]
    pub(super) spout: Option<String>,
    /// Over which time the rates are taken; 0s takes none and answers at once.
    #[arg(long, default_value = "3s", value_name = "DURATION", value_parser = parse_over)]
    pub(super) over: Duration,
    /// Show it again and again, until interrupted.
    #[arg(long, conflicts_with = "json")]
    pub(super) watch: bool,
    /// One JSON object instead of a table.
    #[arg(long)]
    pub(super) json: bool,
}

/// A duration, or no time at all.
fn parse_over(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" => Ok(Duration::ZERO),
        text => parse_duration(text).and_then(|over| match over.as_secs() {
            0..=3600 => Ok(over),
            _ => Err(format!("`{text}` is more than an hour")),
        }),
    }
}

/// Between two looks without rates.
const PAUSE: Duration = Duration::from_secs(1);

impl LagArgs {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        loop {
            let lags = look(context, self.spout.as_deref(), self.over).await?;
            if self.json {
                let spouts: Vec<_> = lags.iter().map(lag_as_json).collect();
                say(&json!({ "spouts": spouts }).to_string());
            } else {
                say(&as_table(&lags).show(colours()));
            }
            if !self.watch {
                return Ok(ExitCode::SUCCESS);
            }
            if self.over.is_zero() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// A spout and its partitions.
pub(in crate::service) type Lag = (SpoutSource, Vec<PartitionLag>);

/// How far the spouts are behind, or the one that is named.
pub(super) async fn look(
    context: &AdminContext,
    name: Option<&str>,
    over: Duration,
) -> Result<Vec<Lag>, AdminError> {
    let sources = match name {
        Some(name) => vec![spout(context, Some(name)).await?],
        None => spouts(context).await?,
    };
    if sources.is_empty() {
        // Says what there is to do.
        spout(context, None).await?;
    }
    lags(context, sources, over).await
}

/// How far all spouts are behind, of which there may be none.
pub(in crate::service) async fn lag_of(context: &AdminContext, over: Duration) -> Result<Vec<Lag>, AdminError> {
    lags(context, spouts(context).await?, over).await
}

async fn lags(context: &AdminContext, sources: Vec<SpoutSource>, over: Duration) -> Result<Vec<Lag>, AdminError> {
    let mut lags = Vec::new();
    for source in sources {
        let lag = context.operator().lag(&source, over).await?;
        lags.push((source, lag));
    }
    Ok(lags)
}

pub(in crate::service) fn lag_as_json((source, partitions): &Lag) -> Value {
    let lag: u64 = partitions.iter().map(|partition| partition.lag).sum();
    json!({ "spout": source.spout, "topic": source.topic, "group": source.group, "lag": lag, "partitions": partitions })
}

pub(super) fn as_table(lags: &[Lag]) -> Table<9> {
    let head = ["SPOUT", "PARTITION", "COMMITTED", "END", "LAG", "BEHIND", "RATE", "CAUGHT UP", "WORKER"];
    let mut table = Table::new(head);
    for (source, partitions) in lags {
        for partition in partitions {
            table.row(row(source, partition));
        }
    }
    table
}

fn row(source: &SpoutSource, lag: &PartitionLag) -> [Cell; 9] {
    let seconds = |ms: i64| show_took(Duration::from_millis(ms.unsigned_abs()));
    let (caught_up, tone) = match (lag.gap, lag.catch_up_s) {
        (Some(gap), _) => {
            let what = match gap.from < gap.to {
                true => format!("{} to {} are deleted", gap.from, gap.to),
                false => format!("the log does not reach {}", gap.from),
            };
            let to = format!("seek --to {}:{}", lag.partition, lag.earliest);
            (format!("never: {what}; `{to}` goes on"), Tone::Bad)
        }
        (None, Some(0.0)) => ("now".to_owned(), Tone::Plain),
        (None, Some(left)) => (format!("in {}", show_took(Duration::from_secs_f64(left.min(1e9)))), Tone::Notable),
        (None, None) => ("does not shrink".to_owned(), Tone::Notable),
    };
    [
        (&source.spout).into(),
        lag.partition.to_string().into(),
        lag.committed.map_or("-".to_owned(), |offset| offset.to_string()).into(),
        lag.latest.to_string().into(),
        Cell::new(lag.lag.to_string(), if lag.lag > 0 { Tone::Notable } else { Tone::Plain }),
        lag.behind_ms.map(seconds).unwrap_or_default().into(),
        format!("{:.0}/s of {:.0}/s", lag.rate, lag.arriving).into(),
        Cell::new(caught_up, tone),
        lag.worker.clone().unwrap_or_else(|| "nobody".to_owned()).into(),
    ]
}
