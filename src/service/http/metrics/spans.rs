//! What became of the spans of this process, read with every scrape.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::names;
use super::page::{Labels, Page};
use crate::topology::span_counts;

/// Of the whole process: there is one exporter of spans at most.
#[derive(Debug)]
pub(super) struct Spans;

impl Collector for Spans {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let Some(counts) = span_counts() else { return Ok(()) };
        let result = |name: &str| -> Labels { vec![("result", name.to_owned())] };
        let series = [(result("sent"), counts.sent), (result("dropped"), counts.dropped)];
        Page(encoder).counters(names::SPANS, &series, |spans| *spans)
    }
}
