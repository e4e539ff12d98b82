//! Delivery over the embedded log, on paused time.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod addressed;
mod back;
mod gates;
mod judge;
mod letters;
mod nodes;
mod routes;
mod schedules;
mod traced;
mod world;
