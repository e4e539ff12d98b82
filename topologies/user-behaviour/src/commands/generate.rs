//! `generate`: realistic records, to the topic or to a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use squall::Headers;
use squall::broker::{Append, Producer};
use tokio::time::{Instant, sleep_until};

use super::Failure;
use super::cli::GenerateArgs;
use super::run::plain;
use crate::format::BehaviourJson;
use crate::generate::{GenerateSettings, Generated, Generator};
use crate::open::{create_data_dir, ensure_topics};
use crate::settings::Config;
use crate::topology::{FORMAT_HEADER, format_header, now_ms};

/// Records of one append when there is no rate to keep.
const BATCH: u64 = 1000;
/// How often records leave when there is one.
const PACE: Duration = Duration::from_millis(20);

/// Generates what the arguments ask for.
pub(super) async fn generate(config: &Config, data_dir: &Path, args: &GenerateArgs) -> Result<ExitCode, Failure> {
    let generator = Generator::new(settings(args))?;
    let target = args.to.as_ref().map_or(format!("topic {}", config.source.topic), |to| to.display().to_string());
    if args.dry_run {
        say!("would write {} records of {} users to {target}", args.count, args.users);
        return Ok(ExitCode::SUCCESS);
    }
    match &args.to {
        Some(file) => to_file(generator, file)?,
        None => {
            create_data_dir(data_dir).map_err(plain)?;
            let broker = config.broker.open_or_join(data_dir).await?;
            ensure_topics(&*broker, config).await.map_err(plain)?;
            let producer = broker.producer()?;
            let progress = squall::service::progress_count(args.count, "generating");
            to_topic(generator, &*producer, &config.source.topic, args.rate, |made| progress.set_position(made))
                .await?;
            progress.finish_and_clear();
        }
    }
    eprintln!("wrote {} records to {target}", args.count);
    Ok(ExitCode::SUCCESS)
}

fn settings(args: &GenerateArgs) -> GenerateSettings {
    let per_second = args.rate.unwrap_or(1000);
    let span = (args.count.saturating_mul(1000) / per_second.max(1)) as i64;
    GenerateSettings {
        seed: args.seed,
        count: args.count,
        users: args.users,
        items: args.items,
        late_share: args.late,
        duplicate_share: args.duplicates,
        broken_share: args.broken,
        start_ms: args.start_ms.unwrap_or_else(|| now_ms().saturating_sub(span)),
        per_second,
        ..GenerateSettings::default()
    }
}

fn to_file(generator: Generator, path: &Path) -> Result<(), Failure> {
    let output: Box<dyn Write> = if path == Path::new("-") {
        Box::new(std::io::stdout().lock())
    } else {
        Box::new(File::create(path).map_err(|error| format!("--to {}: {error}", path.display()))?)
    };
    let mut output = BufWriter::new(output);
    let context = |error: std::io::Error| format!("--to {}: {error}", path.display());
    for made in generator {
        output.write_all(&made.value).and_then(|()| output.write_all(b"\n")).map_err(context)?;
    }
    Ok(output.flush().map_err(context)?)
}

/// Appends all records, at `rate` a second by their schedule, not by how long an append takes. Tells how many are
/// durable after each append.
pub(super) async fn to_topic(
    generator: Generator,
    producer: &dyn Producer,
    topic: &str,
    rate: Option<u64>,
    mut progress: impl FnMut(u64),
) -> Result<(), Failure> {
    let (began, mut made, mut generator) = (Instant::now(), 0, generator.peekable());
    while generator.peek().is_some() {
        let due = match rate {
            None => made + BATCH,
            Some(rate) => {
                let next = began + Duration::from_nanos((made + 1).saturating_mul(1_000_000_000) / rate);
                sleep_until(next.max(Instant::now() + PACE.min(next.saturating_duration_since(Instant::now()))))
                    .await;
                let passed = began.elapsed() + PACE;
                ((passed.as_nanos() * u128::from(rate) / 1_000_000_000) as u64).clamp(made + 1, made + BATCH)
            }
        };
        let batch: Vec<Append> = generator.by_ref().take((due - made) as usize).map(append).collect();
        made += batch.len() as u64;
        producer.append(topic, batch).await?;
        progress(made);
    }
    Ok(())
}

fn append(made: Generated) -> Append {
    Append {
        key: Some(Bytes::copy_from_slice(made.key.as_bytes())),
        value: Some(made.value),
        headers: Headers::default().with(FORMAT_HEADER, format_header(&BehaviourJson)),
        ..Append::default()
    }
}
