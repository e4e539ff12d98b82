//! `audit`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::output::{Table, colours, say};
use super::time::show_utc;
use super::{AdminContext, AdminError};
use crate::control::AuditRecord;

/// Who changed what, when and why.
#[derive(Debug, Clone, Subcommand)]
pub enum AuditCommand {
    /// Show the last changes, the newest last.
    List {
        /// How many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
        /// Of this action alone, such as lost, the list of the ranges that were deleted before they were read.
        #[arg(long, value_name = "ACTION")]
        action: Option<String>,
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
}

impl AuditCommand {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let Self::List { limit, action, json } = self;
        let (operator, limit) = (context.operator(), *limit as usize);
        let records = match action {
            Some(action) => operator.audit_of(action, limit).await?,
            None => operator.audit(limit).await?,
        };
        if *json {
            say(&json!({ "audit": records }).to_string());
        } else if records.is_empty() {
            say(&match action {
                Some(action) => format!("the audit of `{}` has no `{action}`", context.topology),
                None => format!("nothing of `{}` was ever changed", context.topology),
            });
        } else {
            say(&as_table(&records).show(colours()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn as_table(records: &[AuditRecord]) -> Table<6> {
    let mut table = Table::new(["WHEN", "WHO", "ACTION", "TARGET", "DETAILS", "REASON"]);
    for record in records {
        table.row([
            show_utc(record.when_ms).into(),
            (&record.who).into(),
            (&record.action).into(),
            (&record.target).into(),
            details(&record.details).into(),
            (&record.reason).into(),
        ]);
    }
    table
}

/// `name=value` of everything that is there; a time reads as one.
fn details(details: &Value) -> String {
    let Some(fields) = details.as_object() else { return String::new() };
    let show = |(name, value): (&String, &Value)| match (value, value.as_i64()) {
        (Value::Null, _) => None,
        (_, Some(ms)) if name.ends_with("_ms") => {
            Some(format!("{}={}", name.trim_end_matches("_ms"), show_utc(ms)))
        }
        (Value::String(text), _) => Some(format!("{name}={text}")),
        (value, _) => Some(format!("{name}={value}")),
    };
    fields.iter().filter_map(show).collect::<Vec<_>>().join(" ")
}
