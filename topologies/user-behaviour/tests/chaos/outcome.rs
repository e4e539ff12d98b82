//! What a scenario found: figures, and what is not as it must be.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::args::Form;
use super::scenarios::Scenario;

/// Figures and failures; passed when there is no failure.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    figures: Map<String, Value>,
    failures: Vec<String>,
    faults: u32,
    busy: u32,
}

impl Outcome {
    /// One that failed before it could find anything.
    pub(crate) fn failed(why: String) -> Self {
        Self { failures: vec![why], ..Self::default() }
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.insert(name.to_owned(), value.into());
    }

    /// Adds to a figure that counts.
    pub(crate) fn add(&mut self, name: &str, more: u64) {
        let before = self.figures.get(name).and_then(Value::as_u64).unwrap_or_default();
        self.set(name, before + more);
    }

    /// A figure that was set before; `None` when it is unknown.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.figures.get(name)?.as_f64()
    }

    /// A figure in seconds, to a tenth.
    pub(crate) fn set_seconds(&mut self, name: &str, value: Option<Duration>) {
        self.set(name, value.map(|took| (took.as_secs_f64() * 10.0).round() / 10.0));
    }

    /// Fails unless `holds`.
    pub(crate) fn demand(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            let what = what.into();
            eprintln!("not as it must be: {what}");
            self.failures.push(what);
        }
    }

    /// Fails unless this took at most `bound`; in the short form only that it ended counts.
    pub(crate) fn demand_within(&mut self, form: Form, what: &str, took: Option<Duration>, bound: Duration) {
        match took {
            None => self.demand(false, format!("{what} did not happen")),
            Some(took) => {
                let judged = form == Form::Short || took <= bound;
                self.demand(judged, format!("{what} took {took:.1?}, allowed are {bound:?}"));
            }
        }
    }

    /// Notes a fault, and whether it hit a system that had something to lose.
    pub(crate) fn fault(&mut self, busy: bool) {
        self.faults += 1;
        self.busy += u32::from(busy);
    }

    /// For a process that runs a part of a scenario to hand over what it found.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "figures": self.figures, "failures": self.failures, "faults": self.faults, "busy": self.busy })
    }

    /// Reads what [`to_json`](Self::to_json) wrote; `None` for anything else.
    pub(crate) fn from_json(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let failures = value["failures"].as_array()?.iter().filter_map(|text| Some(text.as_str()?.to_owned()));
        let count = |name: &str| value[name].as_u64().map(|count| count as u32);
        Some(Self {
            failures: failures.collect(),
            figures: value["figures"].as_object()?.clone(),
            faults: count("faults")?,
            busy: count("busy")?,
        })
    }

    pub(crate) fn passed(&self) -> bool {
        self.failures.is_empty() && self.faults > 0 && self.faults == self.busy
    }

    /// The line on standard output.
    pub(crate) fn line(mut self, scenario: Scenario, form: Form, seed: u64) -> String {
        let passed = self.passed();
        if self.faults == 0 || self.busy < self.faults {
            self.failures.push(format!("{} of {} faults hit a busy system", self.busy, self.faults));
        }
        let mut line = json!({
            "scenario": scenario.number(),
            "verdict": if passed { "pass" } else { "fail" },
            "seed": seed,
            "form": form.to_string(),
            "build": if cfg!(debug_assertions) { "dev" } else { "release" },
            "faults": self.faults,
            "faults_hit_busy": self.busy,
        });
        let fields = line.as_object_mut().expect("made as an object");
        fields.append(&mut self.figures);
        if !self.failures.is_empty() {
            fields.insert("failures".into(), self.failures.into());
        }
        line.to_string()
    }
}
