//! The user-behaviour topology.

fn main() {}
