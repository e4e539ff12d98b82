//! `retry`

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::list::ListArgs;
use super::output::{Cell, Table, Tone, colours, say};
use super::time::{show_ago, show_took};
use super::{AdminContext, AdminError};
use crate::control::Key;
use crate::delivery::{Queue, queues};
use crate::guard::Clock;

/// What waits to be tried again.
#[derive(Debug, Clone, Subcommand)]
pub enum RetryCommand {
    /// Show every retry level and the parked records of every sink.
    List(ListArgs),
}

/// By sink: how its switch is to be.
pub(super) type Switches = BTreeMap<String, String>;

impl RetryCommand {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let Self::List(args) = self;
        let (queues, switches) = look(context).await?;
        if args.json {
            let queues: Vec<_> = queues.iter().map(|queue| as_json(queue, &switches)).collect();
            say(&json!({ "queues": queues }).to_string());
        } else if queues.is_empty() {
            say(&format!(
                "`{}` has no retry topics in this log; start it once, or check its name",
                context.topology
            ));
        } else {
            say(&as_table(&queues, &switches, Clock::new().unix_ms()).show(colours()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) async fn look(context: &AdminContext) -> Result<(Vec<Queue>, Switches), AdminError> {
    let queues = queues(&*context.broker, &context.topology).await?;
    let states = context.operator().state().await?;
    let switch = |state: crate::control::KeyState| match state.key {
        Key::Switch(name) => Some((name, state.value)),
        Key::Spout(_) | Key::Limit(_) => None,
    };
    Ok((queues, states.into_iter().filter_map(switch).collect()))
}

pub(super) fn as_table(queues: &[Queue], switches: &Switches, now_ms: i64) -> Table<6> {
    let mut table = Table::new(["SINK", "QUEUE", "WAITING", "OLDEST", "NEXT DUE", "SWITCH"]);
    for queue in queues {
        let switch = switch_of(queue, switches);
        let (waits, usual) = (queue.waiting > 0, switch == "off");
        table.row([
            (&queue.sink).into(),
            queue.place.label().into(),
            Cell::new(queue.waiting.to_string(), if waits { Tone::Notable } else { Tone::Plain }),
            queue.oldest_ms.map(|ms| show_ago(now_ms, ms)).unwrap_or_default().into(),
            queue.next_due_ms.map(|ms| due(now_ms, ms)).unwrap_or_default().into(),
            Cell::new(switch, if usual { Tone::Plain } else { Tone::Notable }),
        ]);
    }
    table
}

pub(super) fn as_json(queue: &Queue, switches: &Switches) -> Value {
    json!({
        "sink": queue.sink,
        "queue": queue.place.label(),
        "topic": queue.topic,
        "waiting": queue.waiting,
        "oldest_ms": queue.oldest_ms,
        "next_due_ms": queue.next_due_ms,
        "switch": switch_of(queue, switches),
    })
}

fn switch_of<'a>(queue: &Queue, switches: &'a Switches) -> &'a str {
    switches.get(&queue.sink).map_or("off", String::as_str)
}

fn due(now_ms: i64, due_ms: i64) -> String {
    match u64::try_from(due_ms.saturating_sub(now_ms)) {
        _ if due_ms == 0 => "as the sink takes rows".to_owned(),
        Ok(left @ 1..) => format!("in {}", show_took(std::time::Duration::from_millis(left))),
        _ => "now".to_owned(),
    }
}
