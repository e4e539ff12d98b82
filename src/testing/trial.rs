//! A whole topology on paused time.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Faults;
use super::faults::next_random;
use crate::runtime::{Options, Report, start};
use crate::topology::{Settings, Topology, Tuning};

/// Runs a topology in process, on one thread and paused time: waits cost nothing, and the same seed gives the same run.
///
/// The seed decides the sizes of batches, edges and windows, so that repeated trials meet the corner cases. It is printed
/// to standard error, and `SQUALL_SEED` sets it.
pub struct Trial {
    seed: u64,
    settings: Option<Settings>,
    options: Options,
}

impl Default for Trial {
    /// A random seed, or that of `SQUALL_SEED`; no failures.
    fn default() -> Self {
        let seed = std::env::var("SQUALL_SEED").ok().and_then(|text| text.parse().ok());
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64);
        Self { seed: seed.unwrap_or_else(clock), settings: None, options: Options::default() }
    }
}

impl Trial {
    /// The trial of this seed.
    pub fn of_seed(seed: u64) -> Self {
        Self { seed, settings: None, options: Options::default() }
    }

    /// Its seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Uses these settings instead of those that the seed gives.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Lets tuples fail.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.options.faults = Some(Arc::new(faults));
        self
    }

    /// Bounds the drain.
    #[must_use]
    pub fn drain(mut self, drain: Duration) -> Self {
        self.options.drain = drain;
        self
    }

    /// Runs the topology to its end.
    ///
    /// # Panics
    /// When the topology cannot be planned, or this thread is inside a tokio runtime.
    pub fn run(self, topology: Topology) -> Report {
        self.run_with(topology, |_| async {})
    }

    /// Runs the topology to its end beside a script, which may stop it.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn run_with<F>(self, topology: Topology, script: impl FnOnce(crate::runtime::Stop) -> F) -> Report
    where
        F: Future<Output = ()>,
    {
        eprintln!("trial of `{}`: SQUALL_SEED={}", topology.name(), self.seed);
        let settings = self.settings.unwrap_or_else(|| settings_of(self.seed));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without input and output needs nothing from the system");
        runtime.block_on(async move {
            let running = start(topology, &settings, self.options).expect("the topology can be planned");
            let script = script(running.stopper());
            let (report, ()) = tokio::join!(running.wait(), script);
            report
        })
    }
}

/// Bounds small enough that batches split, edges fill and windows close.
fn settings_of(seed: u64) -> Settings {
    let mut state = seed | 1;
    let mut up_to = |most: u64| (next_random(&mut state) >> 33) % most + 1;
    let defaults = Tuning::default()
        .batch(up_to(40) as usize)
        .edge(up_to(4) as usize)
        .max_pending(up_to(8) as usize)
        .rows(up_to(60) as usize)
        .linger_ms(up_to(8) - 1)
        .edge_linger_ms(up_to(5) - 1);
    Settings { defaults, ..Settings::default() }
}
