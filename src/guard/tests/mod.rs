//! The guards against the rules they state, and against reference models.

mod auto_skip;
mod auto_switch;
mod backoff;
mod breaker;
mod breaker_model;
mod limit;
mod loop_guard;
mod pressure;
mod ramp;
mod rate;
mod share;
mod shared_breaker;

use std::time::Duration;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
