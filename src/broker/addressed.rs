//! Records that are not meant for every sink.

use bytes::Bytes;

use super::LogRecord;

/// Header with the names of the only sinks that are to store the record, separated by commas. A sink that is not among
/// them passes the record over as if it had stored it. None for a record that is meant for all.
pub const ONLY_SINKS: &str = "squall-only-sinks";

/// The value of [`ONLY_SINKS`] for these sinks.
pub fn only_sinks(sinks: &[String]) -> Bytes {
    Bytes::from(sinks.join(","))
}

/// Takes off the record for whom it is meant: that is for squall to say, not for whoever produced it.
pub(crate) fn mean_for_all(record: &mut LogRecord) {
    record.headers.remove(ONLY_SINKS);
}

/// Whether `sink` is to store the record.
pub fn is_meant_for(record: &LogRecord, sink: &str) -> bool {
    let Some(only) = record.headers.last(ONLY_SINKS) else { return true };
    only.split(|byte| *byte == b',').any(|name| name.trim_ascii() == sink.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Headers, Origin};

    #[test]
    fn a_record_says_for_which_sinks_it_is_meant() {
        let origin = Origin { topic: "t".into(), partition: 0, offset: 1, attempt: 0 };
        let mut record =
            LogRecord { origin, key: None, headers: Headers::default(), timestamp_ms: 0, value: None };
        assert!(is_meant_for(&record, "rows"));
        record.headers.push(ONLY_SINKS, only_sinks(&["rows".to_owned(), "views".to_owned()]));
        assert!(is_meant_for(&record, "rows") && is_meant_for(&record, "views"));
        assert!(
            !is_meant_for(&record, "row") && !is_meant_for(&record, "rows,views") && !is_meant_for(&record, "")
        );
    }
}
