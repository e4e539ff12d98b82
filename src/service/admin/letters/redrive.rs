//! `dead-letters redrive`

use std::path::PathBuf;
use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};

use super::plan::{ActionArgs, as_json, as_text, letters, span};
use crate::delivery::letters::{Intent, Letters, LettersError, Plan, Redrive, Redriven};
use crate::guard::LoopGuardSettings;
use crate::service::admin::output::{Cell, Tone, colours, say};
use crate::service::admin::{AdminContext, AdminError};
use crate::service::progress_count;

/// Status of a redrive that was stopped because its letters die again.
const LOOPED: u8 = 6;
/// The largest new payload that is read from a file: more fits no log.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Which letters to send back, and how.
#[derive(Debug, Clone, Args)]
pub struct RedriveArgs {
    #[command(flatten)]
    pub(super) action: ActionArgs,
    /// Why, for those who look at it later.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub(super) reason: String,
    /// How fast, such as 100 or 100/s.
    #[arg(long, default_value = "100/s", value_name = "N/s", value_parser = parse_rate)]
    pub(super) rate: u64,
    /// A new payload for exactly one letter, from a file.
    #[arg(long, value_name = "FILE", conflicts_with = "replace")]
    pub(super) edit: Option<PathBuf>,
    /// A new payload for exactly one letter.
    #[arg(long, value_name = "TEXT")]
    pub(super) replace: Option<String>,
    /// To the topic that they were first read from, so that every sink gets them again.
    #[arg(long)]
    pub(super) to_source: bool,
    /// Refuse letters that were sent back as often as this and died again.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) max_redrives: u32,
    /// Also letters that were sent back too often, and named ones with which something was done before.
    #[arg(long)]
    pub(super) force: bool,
}

impl RedriveArgs {
    pub(super) async fn run(&self, context: &AdminContext) -> Result<ExitCode, AdminError> {
        let outcome = self.carry_out(context).await?;
        if self.action.json {
            say(&outcome.json().to_string());
        } else {
            say(&outcome.text(colours()));
        }
        Ok(ExitCode::from(outcome.status()))
    }

    /// Plans, notes it in the audit, sends, and notes what came of it.
    pub(super) async fn carry_out(&self, context: &AdminContext) -> Result<Outcome, AdminError> {
        let (letters, payload) = (context.letters()?, self.payload()?);
        let intent = Intent::Redrive {
            to_source: self.to_source,
            new_payload: payload.is_some(),
            max_redrives: self.max_redrives,
        };
        let plan = self.action.plan(&letters, intent, self.force).await?;
        let count = plan.letters.len();
        if payload.is_some() && count > 1 {
            return Err(LettersError::NotOne { count }.into());
        }
        if self.action.dry_run || plan.letters.is_empty() {
            let status = self.action.status(&plan, 0);
            return Ok(Outcome { plan, done: None, status });
        }
        let details = json!({
            "letters": plan.letters.len(), "which": span(&plan), "rate": self.rate, "to_source": self.to_source,
            "new_payload": payload.is_some(), "beyond": plan.beyond,
        });
        let how = Redrive {
            rate: self.rate,
            to_source: self.to_source,
            payload,
            who: self.action.who(),
            reason: self.reason.clone(),
            guard: LoopGuardSettings::default(),
        };
        self.action.note(context, "redrive", &self.reason, details).await?;
        let done = match self.send(&letters, &plan, &how).await {
            Ok(done) => done,
            Err(error) => {
                self.action.note_stop(context, "redrive ended", &self.reason, count, &error).await;
                return Err(error.into());
            }
        };
        self.action.note(context, "redrive ended", &self.reason, done_as_json(&done)).await?;
        let status = if done.looped.is_some() { LOOPED } else { self.action.status(&plan, done.sent) };
        Ok(Outcome { plan, done: Some(done), status })
    }

    async fn send(&self, letters: &Letters, plan: &Plan, how: &Redrive) -> Result<Redriven, LettersError> {
        let bar = (!self.action.json).then(|| progress_count(plan.letters.len() as u64, "sent back"));
        let told = |done| bar.iter().for_each(|bar| bar.set_position(done));
        let done = letters.redrive(plan, how, told).await;
        if let Some(bar) = &bar {
            bar.finish_and_clear();
        }
        done
    }

    fn payload(&self) -> Result<Option<Bytes>, AdminError> {
        let Some(file) = &self.edit else { return Ok(self.replace.clone().map(Bytes::from)) };
        let wrong =
            |reason: String| AdminError::Invalid(format!("cannot read --edit {}: {reason}", file.display()));
        let length = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
        if length > LARGEST {
            return Err(wrong(format!("it has {length} bytes, no log takes more than {LARGEST}")));
        }
        std::fs::read(file).map(|bytes| Some(bytes.into())).map_err(|error| wrong(error.to_string()))
    }
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    plan: Plan,
    /// `None` when nothing was sent: a dry run, or no letter is like that.
    done: Option<Redriven>,
    status: u8,
}

impl Outcome {
    /// The status for the process.
    pub(super) fn status(&self) -> u8 {
        self.status
    }

    /// For people.
    pub(super) fn text(&self, colours: bool) -> String {
        let plan = as_text(&self.plan, colours);
        let bad = |text: String| Cell::new(text, Tone::Bad).show(colours);
        let Some(done) = &self.done else {
            return match self.plan.letters.len() {
                0 => "no open dead letter is like that".to_owned(),
                count => format!("would send back {}\n{plan}", letters(count)),
            };
        };
        let plan_size = self.plan.letters.len();
        let mut text = format!("sent back {} of {}\n{plan}", done.sent, letters(plan_size));
        if !done.too_large.is_empty() {
            let names: Vec<_> = done.too_large.iter().take(10).map(ToString::to_string).collect();
            let count = done.too_large.len();
            text.push_str(&format!("{count} are too large for the log, and as they were: {}\n", names.join(", ")));
        }
        match done.looped {
            Some(looped) => text.push_str(&bad(format!(
                "stopped: {} of {} that were sent back one after the other have died again; the others are as they \
                 were; `dead-letters list` shows why",
                looped.returned, looped.of
            ))),
            None if done.returned > 0 => text.push_str(&bad(format!(
                "{} have died again by now; `dead-letters list` shows why",
                done.returned
            ))),
            None => {}
        }
        text
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let mut json = as_json(&self.plan);
        json["dry_run"] = self.done.is_none().into();
        json["done"] = self.done.as_ref().map(done_as_json).into();
        json
    }
}

fn done_as_json(done: &Redriven) -> Value {
    let too_large: Vec<_> = done.too_large.iter().take(100).map(ToString::to_string).collect();
    json!({
        "of": done.of,
        "sent": done.sent,
        "died_again": done.returned,
        "too_large": too_large,
        "looped": done.looped.map(|looped| json!({ "died_again": looped.returned, "of": looped.of })),
    })
}

fn parse_rate(text: &str) -> Result<u64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    match number.parse() {
        Ok(rate @ 1..=1_000_000) => Ok(rate),
        _ => Err(format!("`{text}` is no rate; write it as 100/s, from 1/s to 1000000/s")),
    }
}
