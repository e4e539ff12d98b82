//! The binary of the user-behaviour topology.

use std::process::ExitCode;

use clap::Parser;
use user_behaviour::commands::{Cli, execute};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    execute(Cli::parse())
}
