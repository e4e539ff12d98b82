//! `switch list`, `spout list` and `limit list`

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::output::{Cell, Table, Tone, colours, say};
use super::time::{show_ago, show_utc};
use super::{AdminContext, AdminError};
use crate::control::KeyState;
use crate::guard::Clock;

/// How to show a list.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// One JSON object instead of a table.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn list(context: &AdminContext, kind: &str, args: &ListArgs) -> Result<ExitCode, AdminError> {
    let mut states = context.operator().state().await?;
    states.retain(|state| state.key.kind() == kind);
    if args.json {
        say(&list_as_json(kind, &states).to_string());
    } else if states.is_empty() {
        say(&format!("no {kind} of `{}` was ever turned, and no worker runs", context.topology));
    } else {
        say(&as_table(&states, Clock::new().unix_ms()).show(colours()));
    }
    Ok(ExitCode::SUCCESS)
}

/// All of a kind, for programs.
pub(in crate::service) fn list_as_json(kind: &str, states: &[KeyState]) -> serde_json::Value {
    let entries: Vec<_> = states.iter().filter(|state| state.key.kind() == kind).map(as_json).collect();
    json!({ plural(kind): entries })
}

fn plural(kind: &str) -> String {
    if kind.ends_with("ch") { format!("{kind}es") } else { format!("{kind}s") }
}

pub(super) fn as_json(state: &KeyState) -> serde_json::Value {
    json!({
        "name": state.key.name(),
        "value": state.value,
        "default": state.default,
        "offset": state.offset,
        "change": state.change,
        "workers": state.workers,
    })
}

pub(super) fn as_table(states: &[KeyState], now_ms: i64) -> Table<7> {
    let mut table = Table::new(["NAME", "VALUE", "WORKERS", "SINCE", "UNTIL", "WHO", "REASON"]);
    for state in states {
        let usual = state.value == state.default;
        let tone = if usual { Tone::Plain } else { Tone::Notable };
        let change = state.change.as_ref();
        // Of a change whose time is over only its end counts.
        let over = change.is_some_and(|change| change.has_expired(now_ms));
        let since = change.map(|change| change.expires_ms.filter(|_| over).unwrap_or(change.when_ms));
        let until = change.and_then(|change| change.expires_ms).filter(|_| !over);
        let (who, reason) = match change {
            Some(change) if over => ("expired".to_owned(), format!("was {} by {}", change.value, change.who)),
            Some(change) => (change.who.clone(), change.reason.clone()),
            None => Default::default(),
        };
        table.row([
            state.key.name().into(),
            Cell::new(&state.value, tone),
            workers(state),
            since.map(|ms| show_ago(now_ms, ms)).unwrap_or_default().into(),
            until.map(show_utc).unwrap_or_default().into(),
            who.into(),
            reason.into(),
        ]);
    }
    table
}

/// How many live workers have it as it is to be, and which have not.
fn workers(state: &KeyState) -> Cell {
    let live = || state.workers.iter().filter(|worker| worker.live);
    let others: Vec<_> = live().filter(|worker| worker.value != state.value).collect();
    let of = live().count();
    let mut text = format!("{} of {of}", of - others.len());
    for other in &others {
        text.push_str(&format!(", {} has {}", other.worker, other.value));
    }
    Cell::new(text, if others.is_empty() { Tone::Plain } else { Tone::Bad })
}
