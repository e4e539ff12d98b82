//! What every topology's binary shares: configuration, the command line, signals, reports.

pub mod config;
