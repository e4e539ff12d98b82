//! What one thread logs, for tests that look at it.

#![allow(clippy::unwrap_used, reason = "parts of tests: what they expect must hold")]

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, NoSubscriber, set_default};

/// A second subscriber beside that of a test. As long as there is one only, a callsite asks the thread that comes first
/// whether anybody listens, and keeps its answer: a thread of another test would answer no for all.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));

/// Lines of JSON as a log collector gets them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Collects at all levels what this thread logs until the guard goes.
    pub(crate) fn collect() -> (Self, DefaultGuard) {
        LazyLock::force(&SECOND);
        let lines = Self::default();
        let to = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_env_filter("trace").with_writer(move || to.clone()).finish();
        (lines, set_default(subscriber))
    }

    /// All of it so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Every line so far.
    pub(crate) fn parsed(&self) -> Vec<serde_json::Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
