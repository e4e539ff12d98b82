//! What an action would do, for people and programs, and the trace that it leaves.

use clap::Args;
use serde_json::{Value, json};

use super::SelectArgs;
use super::list::{tally, tally_as_json};
use crate::control::AuditRecord;
use crate::delivery::letters::{Intent, LetterId, Letters, LettersError, Plan, Refusal, Which};
use crate::guard::Clock;
use crate::service::admin::who::who;
use crate::service::admin::{AdminContext, AdminError};

/// Letters of one action at most, unless it says otherwise.
const MAX: u32 = 10_000;
/// Status of an action that left letters as they are which it was asked for.
const NOT_ALL: u8 = 1;

/// What all actions on letters have.
#[derive(Debug, Clone, Args)]
pub struct ActionArgs {
    #[command(flatten)]
    pub(super) select: SelectArgs,
    /// How many letters at most; the rest is left for another time. 10000 if not given: that more are left is then a
    /// status of 1.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) max: Option<u32>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
    /// Who does it; the user at this host if not given.
    #[arg(long)]
    pub(super) who: Option<String>,
}

impl ActionArgs {
    /// Finds out what would be done. Letters that are named and refused keep all from being done; so does it when every
    /// one that a filter takes is refused.
    pub(super) async fn plan(&self, letters: &Letters, intent: Intent, force: bool) -> Result<Plan, AdminError> {
        let which = self.select.which(Clock::new().unix_ms())?;
        let plan = letters.plan(&which, intent, force, self.max.unwrap_or(MAX) as usize).await?;
        let named = matches!(which, Which::Ids(_));
        if !plan.refused.is_empty() && (named || plan.letters.is_empty()) {
            return Err(AdminError::Refused(format!("nothing was done: {}", refusals(&plan).join("; "))));
        }
        Ok(plan)
    }

    /// The status when `done` letters of a plan are done.
    pub(super) fn status(&self, plan: &Plan, done: u64) -> u8 {
        let left = self.max.is_none() && plan.beyond > 0;
        let all = plan.refused.is_empty() && !left && done == plan.letters.len() as u64;
        if self.dry_run || all { 0 } else { NOT_ALL }
    }

    pub(super) fn who(&self) -> String {
        self.who.clone().unwrap_or_else(who)
    }

    /// Notes in the audit what is about to be done, or what came of it.
    pub(super) async fn note(
        &self,
        context: &AdminContext,
        action: &str,
        reason: &str,
        details: Value,
    ) -> Result<(), AdminError> {
        let record = AuditRecord {
            when_ms: Clock::new().unix_ms(),
            who: self.who(),
            action: action.to_owned(),
            target: "dead-letters".to_owned(),
            reason: reason.to_owned(),
            details,
        };
        context.operator().record(&record).await?;
        Ok(())
    }

    /// Notes that an action stopped before its end, and why. The log may well be what stopped it, so that this is not
    /// noted either is not what the action fails with.
    pub(super) async fn note_stop(
        &self,
        context: &AdminContext,
        action: &str,
        reason: &str,
        of: usize,
        why: &LettersError,
    ) {
        let done = match why {
            LettersError::Interrupted { done, .. } => *done,
            _ => 0,
        };
        let details = json!({ "of": of, "done": done, "error": why.to_string() });
        if let Err(error) = self.note(context, action, reason, details).await {
            tracing::warn!(%error, action, "how it ended is not in the audit");
        }
    }
}

/// How many letters of what kind, what is refused and what is left.
pub(super) fn as_text(plan: &Plan, colours: bool) -> String {
    let mut text = tally(&plan.tally).show(colours);
    for line in refusals(plan) {
        text.push_str(&format!("left as they are: {line}\n"));
    }
    if plan.beyond > 0 {
        text.push_str(&format!("{} more are left for another time; --max takes more at once\n", plan.beyond));
    }
    text
}

/// The ends of what is meant, for the audit; the marks say it of each letter.
pub(super) fn span(plan: &Plan) -> Value {
    let name = |id: Option<&LetterId>| id.map(ToString::to_string);
    match (name(plan.letters.keys().next()), name(plan.letters.keys().next_back())) {
        (first, last) if first == last => first.into(),
        (first, last) => format!("{}..{}", first.unwrap_or_default(), last.unwrap_or_default()).into(),
    }
}

pub(super) fn as_json(plan: &Plan) -> Value {
    let refused = |(refusal, (first, count)): (&Refusal, &(LetterId, u64))| json!({ "reason": refusal.to_string(), "first": first.to_string(), "letters": count });
    json!({
        "letters": plan.letters.len(),
        "summary": tally_as_json(&plan.tally),
        "refused": plan.refused.iter().map(refused).collect::<Vec<_>>(),
        "beyond": plan.beyond,
    })
}

/// `1 letter`, `2 letters`.
pub(super) fn letters(count: usize) -> String {
    format!("{count} letter{}", if count == 1 { "" } else { "s" })
}

fn refusals(plan: &Plan) -> Vec<String> {
    let line = |(refusal, (first, count)): (&Refusal, &(LetterId, u64))| match count {
        1 => format!("{first}: {refusal}"),
        _ => format!("{first} and {} more: {refusal}", count - 1),
    };
    plan.refused.iter().map(line).collect()
}
