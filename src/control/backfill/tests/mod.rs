//! Jobs over the embedded log, on paused time.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod apart;
mod budget;
mod cut;
mod fold;
mod life;
mod live;
mod operate;
mod overlap;
mod schedules;
mod skips;
mod world;
