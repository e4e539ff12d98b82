//! The guards against the rules they state, and against reference models.

mod backoff;
mod ramp;
mod rate;
mod share;

use std::time::Duration;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
