//! For tests, of squall and of topologies built with it.

pub mod broker;
pub mod servers;
pub mod store;
