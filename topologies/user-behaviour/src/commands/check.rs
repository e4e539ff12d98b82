//! `check`: is everything there that a run needs?

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use squall::store::{Rows, StoreError};

use super::{Failure, topology};
use crate::open::{create_data_dir, open_rows, open_timelines};
use crate::settings::Config;

/// One thing that was checked.
#[derive(Debug, Serialize)]
struct Checked {
    what: &'static str,
    ok: bool,
    detail: String,
}

/// Checks all of it, the rest too when one is not well. Changes nothing but creating the data directory and, for an
/// embedded store, its empty files.
pub(super) async fn check(config: &Config, data_dir: &Path, json: bool) -> Result<ExitCode, Failure> {
    let mut checked = vec![graph(config), folder(data_dir)];
    checked.extend(log(config, data_dir).await);
    checked.push(timelines(config, data_dir).await);
    checked.extend(rows(config, data_dir).await);
    let ok = checked.iter().all(|one| one.ok);
    if json {
        say!("{}", serde_json::json!({ "ok": ok, "checks": checked }));
    } else {
        for Checked { what, ok, detail } in &checked {
            say!("{}  {what:<12} {detail}", if *ok { "ok    " } else { "FAILED" });
        }
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn result<T, E: std::fmt::Display>(
    what: &'static str,
    result: Result<T, E>,
    detail: impl FnOnce(T) -> String,
) -> Checked {
    match result {
        Ok(value) => Checked { what, ok: true, detail: detail(value) },
        Err(error) => Checked { what, ok: false, detail: error.to_string() },
    }
}

fn graph(config: &Config) -> Checked {
    let checked = config.format().map_err(|error| error.to_string()).and_then(|format| {
        let topology = topology::shape(format);
        topology.check(&config.topology).map_err(|error| error.to_string())?;
        Ok(topology.graph(&config.topology))
    });
    result("topology", checked, |graph| format!("{} operators", graph.operators.len()))
}

fn folder(data_dir: &Path) -> Checked {
    result("data-dir", create_data_dir(data_dir), |()| data_dir.display().to_string())
}

async fn log(config: &Config, data_dir: &Path) -> Vec<Checked> {
    let address = config.broker.address(data_dir);
    let broker = match config.broker.open_or_join(data_dir).await {
        Ok(broker) => broker,
        Err(error) => return vec![result::<(), _>("log", Err(error), |()| String::new())],
    };
    let mut checked = vec![Checked { what: "log", ok: true, detail: address }];
    for topic in [&config.source.topic, &config.source.dead_letters] {
        checked.push(result("topic", broker.topic(topic).await, |known| match known {
            Some(info) => format!("{topic}, {} partitions", info.partitions),
            None => format!("{topic} does not exist; `run` creates it"),
        }));
    }
    checked
}

async fn timelines(config: &Config, data_dir: &Path) -> Checked {
    let kind = format!("{:?}", config.timelines.kind).to_lowercase();
    let pinged = async { open_timelines(config, data_dir).await?.ping().await };
    result("timelines", pinged.await, |()| kind)
}

async fn rows(config: &Config, data_dir: &Path) -> Vec<Checked> {
    let kind = format!("{:?}", config.rows.kind).to_lowercase();
    let rows = match open_rows(config, data_dir).await {
        Ok(rows) => rows,
        Err(error) => return vec![result::<(), _>("rows", Err(error), |()| String::new())],
    };
    vec![result("rows", rows.ping().await, |()| kind), result("schema", schema(&*rows).await, |detail| detail)]
}

async fn schema(rows: &dyn Rows) -> Result<String, String> {
    match rows.check_schema().await {
        Ok(()) => Ok("as this program knows it".to_owned()),
        // The only mismatch that a run mends by itself.
        Err(StoreError::Schema { reason, .. }) if reason.starts_with("no migrations are applied") => {
            Ok("not there yet; `run` creates it".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}
