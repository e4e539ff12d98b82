//! The way of a record into a timeline.

use squall::store::timeline::Entry;

use crate::record::Decoded;

/// The entry of `decoded` in the timeline of its user and business; the body is the whole record as
/// canonical JSON.
pub fn entry(decoded: &Decoded) -> Entry<'_> {
    let record = decoded.record();
    Entry {
        owner: &record.user_id,
        line: &record.business,
        action: &record.action,
        id: &record.event_id,
        at_ms: record.occurred_at,
        body: decoded.body().as_bytes(),
    }
}
