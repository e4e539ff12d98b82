//! `dead-letters discard`

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::plan::{ActionArgs, as_json, as_text, letters, span};
use crate::delivery::letters::Intent;
use crate::service::admin::output::{colours, say};
use crate::service::admin::{AdminContext, AdminError};

/// Which letters to discard, and why.
#[derive(Debug, Clone, Args)]
pub struct DiscardArgs {
    #[command(flatten)]
    pub(super) action: ActionArgs,
    /// Why, for those who look at it later.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
}

impl DiscardArgs {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let own = context.letters()?;
        let Self { action, reason } = self;
        let plan = action.plan(&own, Intent::Discard, false).await?;
        let count = plan.letters.len();
        if !action.dry_run && count > 0 {
            let details = json!({ "letters": count, "which": span(&plan), "beyond": plan.beyond });
            action.note(context, "discard", reason, details).await?;
            if let Err(error) = own.discard(&plan, &action.who(), reason).await {
                action.note_stop(context, "discard ended", reason, count, &error).await;
                return Err(error.into());
            }
        }
        if action.json {
            let mut json = as_json(&plan);
            json["dry_run"] = action.dry_run.into();
            say(&json.to_string());
        } else if count == 0 {
            say("no open dead letter is like that");
        } else {
            let done = if action.dry_run { "would discard" } else { "discarded" };
            say(&format!("{done} {}\n{}", letters(count), as_text(&plan, colours())));
        }
        Ok(ExitCode::from(action.status(&plan, count as u64)))
    }
}
