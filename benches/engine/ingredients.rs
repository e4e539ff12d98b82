//! Spouts, sinks and runs that the engine benchmarks share.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use squall::runtime::{Options, start};
use squall::{Data, Pulled, Rejected, Result, Settings, Sink, Spout, Topology};

/// Threads of the runtime: the machine has two cores.
const THREADS: usize = 2;
/// Times that each side is run.
pub(crate) const REPEATS: usize = 5;

/// Makes `end` tuples of their indices.
#[derive(Clone)]
pub(crate) struct Made<F> {
    pub(crate) at: u64,
    pub(crate) end: u64,
    pub(crate) make: F,
}

impl<T: Data, F: Fn(u64) -> T + Clone + Send + 'static> Spout for Made<F> {
    type Out = T;

    async fn next_batch(&mut self, max: usize) -> Result<Option<Pulled<T>>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let to = self.end.min(self.at + max as u64);
        let tuples = (self.at..to).map(&self.make).collect();
        self.at = to;
        Ok(Some(Pulled { partition: 0, epoch: 0, end: to, tuples }))
    }
}

/// Counts tuples and lets them go.
pub(crate) struct Null<T>(pub(crate) Arc<AtomicU64>, PhantomData<fn() -> T>);

impl<T> Null<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default(), PhantomData)
    }
}

impl<T> Clone for Null<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<T: Data> Sink for Null<T> {
    type In = T;

    async fn write(&mut self, rows: &[&T]) -> Result<Rejected> {
        std::hint::black_box(rows);
        self.0.fetch_add(rows.len() as u64, Ordering::Relaxed);
        Ok(Rejected::none())
    }
}

/// Runs a topology to its end on two threads, and demands that every run was acked.
pub(crate) fn run(topology: Topology) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_time().build();
    let report = runtime.expect("a runtime").block_on(async {
        start(topology, &Settings::default(), Options::default()).expect("a valid topology").wait().await
    });
    assert_eq!(report.exit_code(), 0, "{:?}", report.ended);
}
