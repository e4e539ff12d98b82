//! `where`: where is a record, and what has happened to it?

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use squall::service::admin::{WhereOutput, parse_since, show_found};
use squall::service::progress_count;
use squall::service::verify::{Subject, Tracer};

use super::Failure;
use super::run::plain;
use super::verify::source;
use crate::record::Decoded;
use crate::settings::Config;
use crate::verify::{Stores, of_event, of_user};
use crate::view::moment;

/// Which record is asked for.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true, args = ["event_id", "user", "offset"])]
pub(crate) struct WhereArgs {
    /// The record of this event; with --user also when only the stores know it.
    #[arg(long, value_name = "ID")]
    event_id: Option<String>,
    /// The newest records of this user.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// The record at this partition and offset of the log.
    #[arg(long, value_name = "P:O", conflicts_with_all = ["event_id", "user"], value_parser = parse_place)]
    offset: Option<(u32, u64)>,
    /// How far back the log is searched: 2h (ago), 2026-11-21T15:30:00Z, or milliseconds since 1970.
    #[arg(long, default_value = "1h", value_name = "TIME", conflicts_with = "offset", value_parser = parse_since)]
    since: i64,
    /// How many records at most, the newest.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    #[command(flatten)]
    output: WhereOutput,
}

/// Finds the records and says where they are; status 1 when there is none.
pub(super) async fn locate(config: &Config, data_dir: &Path, args: &WhereArgs) -> Result<ExitCode, Failure> {
    let source = source(config, data_dir).await?;
    let stores = Stores::open(config, data_dir).await.map_err(plain)?;
    let tracer = Tracer::new(source, &stores);
    let subjects = match args.offset {
        Some((partition, offset)) => tracer.at(partition, offset).await?,
        None => search(&tracer, &stores, args).await?,
    };
    if subjects.is_empty() && !args.output.json {
        return Err(nothing(args).into());
    }
    show_found(&tracer.trace(&subjects).await?, &args.output);
    Ok(if subjects.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Searches the log, then asks the stores for what it does not have (any more).
async fn search(
    tracer: &Tracer<'_, Stores>,
    stores: &Stores,
    args: &WhereArgs,
) -> Result<Vec<Subject<Decoded>>, Failure> {
    let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    let wanted = |decoded: &Decoded| {
        is(&args.user, &decoded.record().user_id) && is(&args.event_id, &decoded.record().event_id)
    };
    let bar = (!args.output.json).then(|| progress_count(0, "searched"));
    let told = |done, of| {
        bar.iter().for_each(|bar| {
            bar.set_length(of);
            bar.set_position(done);
        });
    };
    let limit = args.limit as usize;
    let searched = tracer.search(args.since, limit, wanted, told).await;
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    let mut subjects = searched?;
    let held = match (&args.user, &args.event_id) {
        (Some(user), Some(event)) => of_event(stores, user, event).await?.into_iter().collect(),
        (Some(user), None) => of_user(stores, user, limit).await?,
        (None, _) => Vec::new(),
    };
    for decoded in held {
        let known = subjects.iter().filter_map(|subject| subject.item.as_ref().ok());
        if subjects.len() < limit && !known.into_iter().any(|known| same(known, &decoded)) {
            subjects.push(Subject { log: None, item: Ok(decoded) });
        }
    }
    Ok(subjects)
}

/// The same version of the same event.
fn same(a: &Decoded, b: &Decoded) -> bool {
    let key = |decoded: &Decoded| {
        let record = decoded.record();
        (record.user_id.clone(), record.event_id.clone(), record.occurred_at)
    };
    key(a) == key(b)
}

fn nothing(args: &WhereArgs) -> String {
    let what = match (&args.event_id, &args.user) {
        (Some(event), Some(user)) => format!("event `{event}` of user `{user}` is in no store and"),
        (Some(event), None) => format!("event `{event}` is"),
        (None, Some(user)) => format!("user `{user}` has no timeline and is"),
        (None, None) => "the record is".to_owned(),
    };
    format!("{what} not in the log since {}; --since looks further back, as --since 7d", moment(args.since))
}

fn parse_place(text: &str) -> Result<(u32, u64), String> {
    let place =
        text.split_once(':').and_then(|(partition, offset)| Some((partition.parse().ok()?, offset.parse().ok()?)));
    place.ok_or_else(|| format!("`{text}` is no place in the log; write it as PARTITION:OFFSET, such as 3:41"))
}
