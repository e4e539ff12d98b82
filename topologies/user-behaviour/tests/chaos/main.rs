//! Chaos runs: real servers, real worker processes, faults while records flow, and a ledger that knows what must be
//! there in the end.
//!
//! `make chaos` runs every scenario at full size, `make chaos CHAOS=1,3` some. Without `--full` each is a minute at most,
//! which is what `cargo test` runs. Progress goes to standard error; each scenario prints one JSON line on standard
//! output. The exit status says whether all passed.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`servers`] | Kafka behind a fault proxy, Redis and MariaDB, shared by the scenarios of a run |
//! | [`traffic`] [`load`] | records, revisions of them and broken ones, appended at a rate while faults happen |
//! | [`ledger`] | what the log acknowledged |
//! | [`workers`] | worker processes: killed, stopped, brought back; their memory |
//! | [`watch`] | what the group has committed, and whether that ever goes back |
//! | [`probe`] | how long a record takes until it can be read, in each store |
//! | [`query_service`] [`queries`] | a query service, and questions to it at a rate |
//! | [`stage`] | all of these together, and the final reckoning |
//! | [`scenarios`] | the faults |

#![allow(clippy::unwrap_used, reason = "a panic is how a scenario fails")]

mod args;
mod figures;
mod ledger;
mod load;
mod outcome;
mod probe;
mod queries;
mod query_service;
mod scenarios;
mod servers;
mod stage;
mod traffic;
mod turns;
mod watch;
mod workers;

#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use args::Args;
use clap::Parser;
use outcome::Outcome;
use scenarios::Scenario;
use servers::Lab;

/// Longest that a scenario may take before it counts as hung.
const LIMIT: [Duration; 2] = [Duration::from_secs(240), Duration::from_secs(14_400)];

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Some(dir) = &args.inside_full_disk {
        return runtime.block_on(scenarios::disk_full::inside(dir, args.seed()));
    }
    if let Some(dir) = &args.fill {
        return runtime.block_on(scenarios::disk_full::fill(dir, args.seed()));
    }
    if let Some(dir) = &args.fill_spill {
        return runtime.block_on(scenarios::disk_full::spill::fill(dir));
    }
    let chosen = match args.chosen() {
        Ok(chosen) => chosen,
        Err(unknown) => {
            eprintln!("error: {unknown}");
            return ExitCode::FAILURE;
        }
    };
    if args.list {
        chosen.iter().for_each(|scenario| println!("{}: test", scenario.name()));
        return ExitCode::SUCCESS;
    }
    let passed = runtime.block_on(run(&chosen, &args));
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs them one after the other. One that panics fails and takes its servers with it; the next starts new ones.
async fn run(chosen: &[Scenario], args: &Args) -> bool {
    let (form, seed, new) = (args.form(), args.seed(), || Lab::new(args));
    let (mut lab, mut passed) = (new(), true);
    for scenario in chosen.iter().copied() {
        eprintln!("=== {}, {form} form, seed {seed}", scenario.name());
        let began = Instant::now();
        let task = tokio::spawn(async move {
            let limit = form.pick(LIMIT[0], LIMIT[1]);
            let outcome = tokio::time::timeout(limit, scenario.run(&mut lab)).await;
            (lab, outcome.unwrap_or_else(|_| Outcome::failed(format!("not over after {limit:?}"))))
        });
        let mut outcome = match task.await {
            Ok((back, outcome)) => {
                lab = back;
                outcome
            }
            Err(panic) => {
                lab = new();
                Outcome::failed(panic.to_string())
            }
        };
        outcome.set_seconds("took_s", Some(began.elapsed()));
        passed &= outcome.passed();
        println!("{}", outcome.line(scenario, form, seed));
    }
    passed
}
