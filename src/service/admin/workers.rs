//! `workers`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::list::ListArgs;
use super::output::{Cell, Table, Tone, colours, say};
use super::time::show_ago;
use super::{AdminContext, AdminError};
use crate::control::{Applied, Worker};
use crate::guard::Clock;

/// The processes that run the topology.
#[derive(Debug, Clone, Subcommand)]
pub enum WorkersCommand {
    /// Show those that were heard of in the last five minutes and did not stop in order.
    List(ListArgs),
}

impl WorkersCommand {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let Self::List(args) = self;
        let workers = context.operator().workers().await?;
        if args.json {
            say(&json!({ "workers": workers }).to_string());
        } else if workers.is_empty() {
            say(&format!("no worker of `{}` runs", context.topology));
        } else {
            say(&as_table(&workers, Clock::new().unix_ms()).show(colours()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn as_table(workers: &[Worker], now_ms: i64) -> Table<8> {
    let head = ["WORKER", "STATE", "ROLE", "HOST", "PID", "STARTED", "HEARD", "SWITCHES AND SPOUTS"];
    let mut table = Table::new(head);
    for Worker { worker, live, heartbeat } in workers {
        let state = if *live { Cell::new("live", Tone::Plain) } else { Cell::new("silent", Tone::Bad) };
        let list = |applied: &Applied| format!("{}={}", applied.name, applied.value);
        let applied: Vec<_> = heartbeat.switches.iter().chain(&heartbeat.spouts).map(list).collect();
        table.row([
            worker.into(),
            state,
            (&heartbeat.role).into(),
            (&heartbeat.host).into(),
            heartbeat.pid.to_string().into(),
            show_ago(now_ms, heartbeat.started_ms).into(),
            show_ago(now_ms, heartbeat.beat_ms).into(),
            applied.join(" ").into(),
        ]);
    }
    table
}
