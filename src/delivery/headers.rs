//! Names of the headers that a parked record carries, beside those of a dead letter.

/// Header with the name of the sink that has yet to store the record.
pub const SINK: &str = "squall-sink";
/// Header with the time before which the record is not tried again, in milliseconds since the Unix epoch, in decimal.
pub const NOT_BEFORE: &str = "squall-not-before-ms";
/// Header with the version of the record, in the topology's own notation, for people.
pub const VERSION: &str = "squall-version";
/// Header with the time of the first failure, in milliseconds since the Unix epoch, in decimal.
pub const FIRST_FAILURE: &str = "squall-first-failure-ms";
/// Header with how often an operator sent the record back from the dead letters, in decimal; none for a record that never
/// was.
pub const REDRIVEN: &str = "squall-redriven";
/// Header with the time of the last failure, in milliseconds since the Unix epoch, in decimal.
pub const LAST_FAILURE: &str = "squall-last-failure-ms";
