//! Concurrent reads of one thing become one.

use std::hash::Hash;
use std::sync::Arc;

use moka::future::Cache;

/// Reads under way, by what they read. Whoever asks for something that is being read gets the same answer; nothing is kept
/// once it is there.
///
/// moka joins callers, but runs the work inside the first one's future, and again when that one hangs up. Here it runs in
/// a task of its own: a caller that leaves, or has little time, takes nothing away from the others.
#[derive(Clone)]
pub struct Flights<K, V>(Arc<Cache<K, V>>);

impl<K, V> Flights<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Reads of at most `max` things are joined at a time; beyond it some may be read twice.
    pub fn new(max: u64) -> Self {
        Self(Arc::new(Cache::new(max)))
    }

    /// The answer of `load`, or of the one that is under way for the same key. Dropped, the read goes on for the others:
    /// `load` bounds its own time.
    ///
    /// # Panics
    /// When `load` does.
    pub async fn run(&self, key: K, load: impl Future<Output = V> + Send + 'static) -> V {
        let flights = self.0.clone();
        let flight = async move {
            let entry = flights.entry(key.clone()).or_insert_with(load).await;
            if entry.is_fresh() {
                flights.invalidate(&key).await;
            }
            entry.into_value()
        };
        match tokio::spawn(flight).await {
            Ok(value) => value,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going, and every caller with it.
                Err(_gone) => std::future::pending().await,
            },
        }
    }
}
