//! The engine as a whole, on paused time.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod delivery;
mod failures;
mod shapes;
mod stop;
