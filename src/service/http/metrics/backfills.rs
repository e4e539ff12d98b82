//! The backfills that workers of this process know of, read with every scrape.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::names;
use super::page::{Labels, Page, with};
use crate::control::backfill::{BackfillMetrics, Lost, State, Status};

/// By the name of their topology.
#[derive(Clone, Default)]
pub(super) struct Jobs(Arc<Mutex<Vec<(String, BackfillMetrics)>>>);

impl Jobs {
    pub(super) fn watch(&self, topology: &str, metrics: BackfillMetrics) {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A series has one value: the later one takes the place of the earlier.
        watched.retain(|(name, metrics)| name != topology && !metrics.is_over());
        watched.push((topology.to_owned(), metrics));
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs").finish_non_exhaustive()
    }
}

impl Collector for Jobs {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let jobs: Vec<(Labels, Status)> = watched
            .iter()
            .flat_map(|(topology, metrics)| {
                metrics.snapshot().into_iter().map(|job| (labels(topology, &job), job))
            })
            .collect();
        let rests: Vec<(Labels, bool)> = watched
            .iter()
            .map(|(topology, metrics)| (vec![("topology", topology.clone())], metrics.rest_for_live()))
            .collect();
        let mut page = Page(encoder);
        page.gauges(names::BACKFILL_RESTS, &rests, |rest| f64::from(u8::from(*rest)))?;
        write(&mut page, &jobs)
    }
}

fn labels(topology: &str, status: &Status) -> Labels {
    vec![("topology", topology.to_owned()), ("backfill", status.job.id.clone())]
}

fn write(page: &mut Page<'_>, jobs: &[(Labels, Status)]) -> fmt::Result {
    page.gauges(names::BACKFILL_OFFSETS, jobs, |it| it.total as f64)?;
    page.gauges(names::BACKFILL_DONE, jobs, |it| it.done as f64)?;
    page.gauges(names::BACKFILL_LOST, jobs, |it| it.lost.iter().map(Lost::len).sum::<u64>() as f64)?;
    page.gauges_if(names::BACKFILL_RATE, jobs, |it| it.rate)?;
    page.gauges_if(names::BACKFILL_REMAINING, jobs, |it| it.remaining_s.map(|seconds| seconds as f64))?;
    page.gauges(names::BACKFILL_PAUSED, jobs, |it| f64::from(u8::from(it.state == State::Paused)))?;
    let chunks: Vec<(Labels, usize)> = jobs
        .iter()
        .flat_map(|(labels, it)| {
            let states = [("done", it.chunks_done), ("held", it.held.len()), ("free", it.chunks_free)];
            states.map(|(state, chunks)| (with(labels, "state", state), chunks))
        })
        .collect();
    page.gauges(names::BACKFILL_CHUNKS, &chunks, |chunks| *chunks as f64)
}
