//! What processes cost.

use std::time::Duration;

/// CPU time that a process has used; none for a server that somebody else owns.
pub(crate) fn cpu(pid: Option<u32>) -> Duration {
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid?)).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        Some(ticks()? + ticks()?)
    };
    // A tick is 10 ms on every Linux that Rust runs on.
    Duration::from_millis(ticks().unwrap_or_default() * 10)
}
