//! `demo`: generated records, watched live, and both services.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use squall::runtime::{Report, Running, Snapshot};
use squall::service::{Live, run_beside};

use super::cli::DemoArgs;
use super::role::Roles;
use super::run::{begin, conclude_all, plain, start_retry, watch};
use super::serve::Shared;
use super::{Failure, generate, once, topology};
use crate::generate::{GenerateSettings, Generator};
use crate::open::{open, open_control};
use crate::settings::Config;
use crate::topology::{Handles, now_ms};

/// Generates at a readable rate and runs the topology, until Ctrl-C.
pub(super) async fn demo(config: &Config, data_dir: &Path, args: &DemoArgs) -> Result<ExitCode, Failure> {
    if let Some(bounded) = args.run.clone().once()? {
        return once::once(config, data_dir, &bounded).await;
    }
    let parts = open(config, data_dir).await.map_err(plain)?;
    let control = open_control(config, parts.broker.clone(), data_dir, "all").await;
    let built = topology::build(&parts, config.wiring(Handles::of(&control, &config.source)).map_err(plain)?)?;
    watch(config, &parts, &built);
    let shared = Shared::new(config, data_dir, &control);
    let stores = (parts.timelines.clone(), parts.rows.clone());
    let mut services = shared.start(Roles::DEMO, parts.broker.clone(), Some(stores)).await.map_err(plain)?;
    let exporter = &shared.around.exporter;
    eprintln!("{}", try_it(services.url("collector"), services.url("query")));
    eprintln!("{} records a second; Ctrl-C stops", args.rate);
    let beside = start_retry(config, built.retry, exporter)?;
    let running = begin(config, built.main, exporter)?;
    let metrics = running.metrics();
    let (stop, generator) = (running.stopper(), endless(parts.broker.producer()?, config, args));
    let generating = tokio::spawn(async move {
        let failure = generator.await;
        stop.stop();
        failure
    });
    let live = tokio::spawn(Live::new(metrics).show());
    let reports = stop_after(running, beside, args.seconds).await?;
    live.abort();
    generating.abort();
    services.stop().await?;
    control.close().await;
    if let Ok(Err(error)) = generating.await {
        return Err(format!("the generator stopped: {error}").into());
    }
    parts.timelines.flush().await?;
    summarize(&reports[0].snapshot);
    Ok(conclude_all(&reports))
}

/// Three lines for a shell: a record goes in, and comes out of both interfaces.
fn try_it(collector: &str, query: &str) -> String {
    format!(
        "try it, from another terminal:\n  \
         curl -s {collector}/v1/behaviours --json '{{\"user_id\":\"ann\",\"app_id\":\"shop\",\"channel\":\"online\",\
         \"business\":\"hotel\",\"action\":\"view\",\"item_id\":\"hotel-7\",\"occurred_at\":'$(date +%s000)'}}'\n  \
         curl -s {query}/v1/users/ann/behaviours\n  \
         curl -s {query}/v1/users/ann/profile"
    )
}

async fn stop_after(main: Running, beside: Running, seconds: Option<u64>) -> std::io::Result<Vec<Report>> {
    if let Some(seconds) = seconds {
        let stop = main.stopper();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            stop.stop();
        });
    }
    let (main, beside) = run_beside(main, beside, std::future::ready(())).await?;
    Ok(vec![main, beside])
}

/// Appends generated records at the demo's rate, one sequence after the other.
fn endless(
    producer: std::sync::Arc<dyn squall::broker::Producer>,
    config: &Config,
    args: &DemoArgs,
) -> impl Future<Output = Result<(), Failure>> + Send + 'static {
    let (topic, rate, first) = (config.source.topic.clone(), args.rate, args.seed);
    async move {
        for seed in first.. {
            let settings = GenerateSettings {
                seed,
                users: 500,
                items: 2000,
                broken_share: 0.002,
                start_ms: now_ms(),
                per_second: rate,
                ..GenerateSettings::default()
            };
            generate::to_topic(Generator::new(settings)?, &*producer, &topic, Some(rate), |_| {}).await?;
        }
        Ok(())
    }
}

fn summarize(snapshot: &Snapshot) {
    let seconds = snapshot.elapsed_ms as f64 / 1000.0;
    say!("{:.1} s", seconds);
    for operator in &snapshot.operators {
        let tuples = operator.tuples_in.max(operator.tuples_out);
        say!(
            "{:<14} {tuples:>9} tuples  {:>8.0} /s  {} failed",
            operator.operator,
            tuples as f64 / seconds.max(0.001),
            operator.failed
        );
    }
    for spout in &snapshot.spouts {
        let ms = |ns: u64| ns as f64 / 1e6;
        let latency = spout.complete;
        say!(
            "from pulled to stored: p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
            ms(latency.p50_ns),
            ms(latency.p99_ns),
            ms(latency.max_ns)
        );
    }
}
