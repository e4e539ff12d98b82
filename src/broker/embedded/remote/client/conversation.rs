//! What cursors and members have in common.

use std::time::Duration;

use crate::broker::Fetched;

/// How long one request waits for records. A longer wait is asked for in slices, so that a server that hangs is noticed.
pub(super) const SLICE: Duration = Duration::from_secs(5);

/// How long the answer may take to a request that waits for `wait`.
pub(super) fn waiting_for(wait: Duration, request_timeout: Duration) -> Duration {
    // The request on its way may be an earlier one, which waits for a slice.
    wait.max(SLICE).saturating_add(request_timeout)
}

/// At most `max` records, and the rest.
pub(super) fn split(mut fetched: Fetched, max: usize) -> (Fetched, Option<Fetched>) {
    let max = max.max(1);
    if fetched.records.len() <= max {
        return (fetched, None);
    }
    let records = fetched.records.split_off(max);
    let rest = Fetched { records, ..fetched };
    let next = fetched.records.last().map_or(fetched.next, |record| record.origin.offset + 1);
    (Fetched { next, ..fetched }, Some(rest))
}
