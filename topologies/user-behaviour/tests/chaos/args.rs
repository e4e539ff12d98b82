//! The command line.

use std::fmt;
use std::path::PathBuf;

use clap::Parser;

use super::scenarios::Scenario;

/// Faults while records flow, and the proof that nothing was lost.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Full size: minutes instead of seconds, and times are part of the verdict.
    #[arg(long)]
    full: bool,
    /// Which scenarios, by their numbers; all if not given.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    scenario: Vec<u32>,
    /// Chooses the records and the moments.
    #[arg(long)]
    seed: Option<u64>,
    /// Fresh records a second beside the backfills of scenario 11; 200, in full size 5,000.
    #[arg(long, value_name = "RECORDS")]
    pub(crate) fresh: Option<u64>,
    /// Records of the backlog of scenario 11; 12,000, in full size five million, and 500,000 at least.
    #[arg(long, value_name = "RECORDS")]
    pub(crate) backlog: Option<u64>,
    /// The share that its third backfill takes in full size.
    #[arg(long, default_value = "0.9")]
    pub(crate) share: String,
    /// The records a second that it brings at most in full size; as many as its share lets it if not given.
    #[arg(long)]
    pub(crate) rate: Option<String>,
    /// How often scenario 11 looks at fresh records beside its first backfill and without it: 1, in full size 6, where the
    /// second one is looked at twelve times when that does not decide how much slower they are. At 0 it looks at neither,
    /// which takes ten minutes less: what stores hold has not grown by then, and with it what a write costs.
    #[arg(long)]
    pub(crate) turns: Option<usize>,
    /// Names the scenarios and runs none.
    #[arg(long)]
    pub(crate) list: bool,
    /// Runs only scenarios with one of these texts in their names.
    filters: Vec<String>,
    /// The part of scenario 13 that runs where the disk is small.
    #[arg(long, hide = true)]
    pub(crate) inside_full_disk: Option<PathBuf>,
    /// The part of it that fills the disk.
    #[arg(long, hide = true)]
    pub(crate) fill: Option<PathBuf>,
    /// The part of it that fills the disk with a spill.
    #[arg(long, hide = true)]
    pub(crate) fill_spill: Option<PathBuf>,
    #[command(flatten)]
    libtest: Libtest,
}

/// What `cargo test -- …` passes to every test of a workspace.
#[derive(Debug, clap::Args)]
struct Libtest {
    #[arg(long, hide = true)]
    exact: bool,
    #[arg(long, hide = true)]
    ignored: bool,
    #[arg(long, hide = true)]
    include_ignored: bool,
    #[arg(long, hide = true, alias = "no-capture")]
    nocapture: bool,
    #[arg(long, hide = true)]
    show_output: bool,
    #[arg(long, short, hide = true)]
    quiet: bool,
    #[arg(long, hide = true)]
    test_threads: Option<String>,
    #[arg(long, hide = true)]
    format: Option<String>,
    #[arg(long, hide = true)]
    color: Option<String>,
    #[arg(long, hide = true)]
    skip: Vec<String>,
}

/// How large a scenario is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A minute at most; only states are judged.
    Short,
    /// As the table of scenarios says; times are judged too.
    Full,
}

impl Form {
    /// One value for the short form, one for the full one.
    pub(crate) fn pick<T>(self, short: T, full: T) -> T {
        match self {
            Self::Short => short,
            Self::Full => full,
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pick("short", "full"))
    }
}

impl Args {
    pub(crate) fn form(&self) -> Form {
        if self.full { Form::Full } else { Form::Short }
    }

    /// The seed; 1 if none was given, so that two runs meet the same records.
    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }

    /// The scenarios to run, in the order of their numbers.
    pub(crate) fn chosen(&self) -> Result<Vec<Scenario>, String> {
        let mut chosen = Vec::new();
        for number in &self.scenario {
            let known = || Scenario::ALL.map(|scenario| scenario.number().to_string()).join(", ");
            let found = Scenario::ALL.into_iter().find(|scenario| scenario.number() == *number);
            chosen.push(found.ok_or_else(|| format!("there is no scenario {number}; known are {}", known()))?);
        }
        if chosen.is_empty() {
            chosen.extend(Scenario::ALL);
        }
        let Libtest { exact, ignored, skip, .. } = &self.libtest;
        let matches = |text: &String, name: &str| if *exact { text == name } else { name.contains(text.as_str()) };
        chosen.retain(|scenario| {
            let name = scenario.name();
            let wanted = self.filters.is_empty() || self.filters.iter().any(|text| matches(text, name));
            wanted && !ignored && !skip.iter().any(|text| matches(text, name))
        });
        Ok(chosen)
    }
}
