//! The names of what is measured: here and nowhere else.
//!
//! | series | labels | is |
//! | --- | --- | --- |
//! | `squall_http_requests_total` | `server`, `route`, `method`, `status` | requests answered; `status` is `2xx` and so on, `gone` when the caller left first; `route` is `unmatched` where there is none |
//! | `squall_http_request_duration_seconds` | `server`, `route`, `method` | histogram from the end of the headers to the start of the answer |
//! | `squall_http_requests_in_flight` | `server` | requests that run |
//! | `squall_http_body_bytes` | `server` | bytes of the bodies of requests that are held |
//! | `squall_http_connections` | `server` | connections that are open |
//! | `squall_http_connections_opened_total` | `server` | connections that were taken |
//! | `squall_http_connections_refused_total` | `server` | connections closed at once, since their address has too many |
//! | `squall_http_problems_total` | `server`, `code` | answers that were none, by the code of the problem: `rate_limited`, `overloaded`, `unauthorized` and so on |
//! | `squall_http_connections_cut_total` | `server`, `phase` | connections whose caller was too slow, by what it was slow at: `handshake`, `headers`, `idle`, `write`; a slow body is a `408` |
//! | `squall_http_certificate_reloads_total` | `server`, `result` | new certificates that were `taken` or `refused` |
//! | `squall_operator_tuples_in_total` | `topology`, `operator` | tuples taken |
//! | `squall_operator_tuples_out_total` | `topology`, `operator` | tuples emitted; for a spout, pulled |
//! | `squall_operator_failed_total` | `topology`, `operator` | tuples that failed for good |
//! | `squall_operator_retried_total` | `topology`, `operator` | tries that failed and were repeated |
//! | `squall_operator_queue_depth` | `topology`, `operator` | batches that wait in front of its tasks |
//! | `squall_operator_busy_ratio` | `topology`, `operator` | share of the time since the start that its tasks were busy |
//! | `squall_operator_execute_seconds` | `topology`, `operator`, `quantile` | time of one call: `0.5`, `0.99` and `1` since the start |
//! | `squall_operator_queue_seconds` | `topology`, `operator`, `quantile` | time that a batch waited in front of a task |
//! | `squall_spout_pending` | `topology`, `spout` | runs in flight |
//! | `squall_spout_outstanding` | `topology`, `spout` | runs that failed and were not made good yet |
//! | `squall_spout_acked_total` | `topology`, `spout` | runs that every sink has |
//! | `squall_spout_failed_total` | `topology`, `spout` | tries of runs that failed |
//! | `squall_spout_complete_seconds` | `topology`, `spout`, `quantile` | from pull to settled |
//! | `squall_spout_lag` | `topology`, `spout`, `partition` | records behind the last one pulled |
//! | `squall_spout_watermark` | `topology`, `spout`, `partition` | position below which everything is settled: what is committed |
//! | `squall_backfill_offsets` | `topology`, `backfill` | offsets of the ranges of a backfill, holes included; of those that go on, and of a finished one for an hour. Every process that takes jobs (roles `all` and `backup`) says the same: take the greatest by `topology` and `backfill` |
//! | `squall_backfill_done_offsets` | `topology`, `backfill` | those of them that are settled |
//! | `squall_backfill_lost_offsets` | `topology`, `backfill` | those that were deleted before they were read |
//! | `squall_backfill_rate` | `topology`, `backfill` | offsets settled a second, over the last minute of progress; none while nobody works at it |
//! | `squall_backfill_remaining_seconds` | `topology`, `backfill` | until the end at that rate |
//! | `squall_backfill_paused` | `topology`, `backfill` | 1 while it is paused, by an operator or by a worker that could not go on |
//! | `squall_backfill_rests` | `topology` | 1 while this process has backfills rest because the live stream is behind |
//! | `squall_backfill_chunks` | `topology`, `backfill`, `state` | its chunks that are `done`, `held` by a worker, alive or dead, or `free` |
//! | `squall_spans_total` | `result` | spans of traces that are kept: `sent` to the OpenTelemetry collector, or `dropped`, since it was away or takes fewer; none without `--otlp` |

/// Before every name.
pub const PREFIX: &str = "squall";

/// One of them: its name without prefix and without the `_total` of counters, and its help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Name.
    pub name: &'static str,
    /// One line, without the full stop.
    pub help: &'static str,
}

macro_rules! names {
    ($($constant:ident = $name:literal, $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: Name = Name { name: $name, help: $help };)*
        /// All of them.
        pub const ALL: &[Name] = &[$($constant),*];
    };
}

names! {
    HTTP_REQUESTS = "http_requests", "Requests answered";
    HTTP_DURATION = "http_request_duration_seconds", "From the end of the headers to the start of the answer";
    HTTP_IN_FLIGHT = "http_requests_in_flight", "Requests that run";
    HTTP_BODIES = "http_body_bytes", "Bytes of the bodies of requests that are held";
    HTTP_CONNECTIONS = "http_connections", "Connections that are open";
    HTTP_OPENED = "http_connections_opened", "Connections that were taken";
    HTTP_REFUSED = "http_connections_refused", "Connections closed at once, since their address has too many";
    HTTP_PROBLEMS = "http_problems", "Answers that were none, by the code of the problem";
    HTTP_CUT = "http_connections_cut", "Connections whose caller was too slow";
    HTTP_CERTIFICATES = "http_certificate_reloads", "New certificates that were taken or refused";
    OPERATOR_IN = "operator_tuples_in", "Tuples taken";
    OPERATOR_OUT = "operator_tuples_out", "Tuples emitted, or pulled by a spout";
    OPERATOR_FAILED = "operator_failed", "Tuples that failed for good";
    OPERATOR_RETRIED = "operator_retried", "Tries that failed and were repeated";
    OPERATOR_QUEUE = "operator_queue_depth", "Batches that wait in front of its tasks";
    OPERATOR_BUSY = "operator_busy_ratio", "Share of the time that its tasks were busy";
    OPERATOR_EXECUTE = "operator_execute_seconds", "Time of one call, quantiles since the start";
    OPERATOR_WAIT = "operator_queue_seconds", "Time that a batch waited, quantiles since the start";
    SPOUT_PENDING = "spout_pending", "Runs in flight";
    SPOUT_OUTSTANDING = "spout_outstanding", "Runs that failed and were not made good yet";
    SPOUT_ACKED = "spout_acked", "Runs that every sink has";
    SPOUT_FAILED = "spout_failed", "Tries of runs that failed";
    SPOUT_COMPLETE = "spout_complete_seconds", "From pull to settled, quantiles since the start";
    SPOUT_LAG = "spout_lag", "Records behind the last one pulled";
    SPOUT_WATERMARK = "spout_watermark", "Position below which everything is settled";
    BACKFILL_OFFSETS = "backfill_offsets", "Offsets of the ranges of a backfill, holes included";
    BACKFILL_DONE = "backfill_done_offsets", "Offsets of a backfill that are settled";
    BACKFILL_LOST = "backfill_lost_offsets", "Offsets of a backfill that were deleted before they were read";
    BACKFILL_RATE = "backfill_rate", "Offsets of a backfill settled a second, over the last minute of progress";
    BACKFILL_REMAINING = "backfill_remaining_seconds", "Until the end of a backfill at its rate";
    BACKFILL_PAUSED = "backfill_paused", "1 while the backfill is paused";
    BACKFILL_RESTS = "backfill_rests", "1 while this process has backfills rest because the live stream is behind";
    BACKFILL_CHUNKS = "backfill_chunks", "Chunks of a backfill that are done, held by a worker, or free";
    SPANS = "spans", "Spans of traces that are kept, sent to the OpenTelemetry collector or dropped";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each() {
        let table: Vec<&str> =
            include_str!("names.rs").lines().filter(|line| line.starts_with("//! | `")).collect();
        assert_eq!(table.len(), ALL.len());
        for (Name { name, .. }, line) in ALL.iter().zip(table) {
            let counter = format!("//! | `{PREFIX}_{name}_total` |");
            assert!(
                line.starts_with(&format!("//! | `{PREFIX}_{name}` |")) || line.starts_with(&counter),
                "{line}"
            );
        }
    }
}
