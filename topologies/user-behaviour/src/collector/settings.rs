//! The numbers that bound the collector.

use std::time::Duration;

use axum::http::HeaderValue;
use squall::service::spill::DurableSettings;

/// How the collector works.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectorSettings {
    /// Bytes of a body at most, before and after it is decompressed.
    pub max_body_bytes: usize,
    /// Records of a body at most.
    pub max_records: usize,
    /// Bytes of the bodies that were sent compressed, unpacked, of all requests at once; one that finds no room is a `503`.
    pub max_unpacked_bytes: usize,
    /// How long a request may take once its body is there; a deadline that it brings can only be nearer.
    pub deadline: Duration,
    /// For how long a record that became durable is not produced again; zero produces each.
    pub dedup: Duration,
    /// How many such records are remembered at most.
    pub dedup_entries: u64,
    /// Origins of the pages whose scripts may post; none by default, `*` for any.
    pub cors_origins: Vec<HeaderValue>,
    /// How records become durable.
    pub durable: DurableSettings,
}

impl CollectorSettings {
    /// 2 MiB and 1,000 records a body, 256 MiB of those that are unpacked, 5 s a request, 200,000 records remembered for a minute, no other origins.
    pub fn new(durable: DurableSettings) -> Self {
        Self {
            max_body_bytes: 2 * 1024 * 1024,
            max_records: 1_000,
            max_unpacked_bytes: 256 << 20,
            deadline: Duration::from_secs(5),
            dedup: Duration::from_secs(60),
            dedup_entries: 200_000,
            cors_origins: Vec::new(),
            durable,
        }
    }
}
