//! Storm-style stream processing: typed topologies, and what surrounds them in operation.

pub mod broker;
pub mod runtime;
pub mod service;
pub mod store;
pub mod testing;
pub mod topology;

pub use topology::*;
