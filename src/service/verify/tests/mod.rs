//! Verification over the embedded log, and stores that say what a script has them say.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod places;
mod races;
mod random;
mod traces;
mod verdicts;
mod world;
