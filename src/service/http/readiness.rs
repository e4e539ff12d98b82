//! Whether a process should be sent requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// Which parts of a process are ready, and why not. A part that was named and has not spoken is not ready. Cheap to clone;
/// all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    parts: BTreeMap<String, Option<String>>,
}

/// One part's say. The last word of all clones holds, also after they are gone.
#[derive(Debug, Clone)]
pub struct ReadyPart {
    name: String,
    readiness: Readiness,
}

impl Readiness {
    /// Names a part, which is not ready until it says so.
    pub fn part(&self, name: impl Into<String>) -> ReadyPart {
        let name = name.into();
        self.lock().parts.insert(name.clone(), Some("starting".to_owned()));
        ReadyPart { name, readiness: self.clone() }
    }

    /// The process stops: it is not ready again.
    pub fn stop(&self) {
        self.lock().stopping = true;
    }

    /// Whether all parts are ready and the process does not stop.
    pub fn is_ready(&self) -> bool {
        let state = self.lock();
        !state.stopping && state.parts.values().all(Option::is_none)
    }

    /// The parts that are not ready with their reasons, by name; `process` while it stops.
    pub fn reasons(&self) -> Vec<(String, String)> {
        let state = self.lock();
        let stopping = state.stopping.then(|| ("process".to_owned(), "stopping".to_owned()));
        let parts = state.parts.iter().filter_map(|(name, reason)| Some((name.clone(), reason.clone()?)));
        stopping.into_iter().chain(parts).collect()
    }

    /// `{"ready": …, "reasons": [{"part": …, "reason": …}], "parts": [every name]}`
    pub fn document(&self) -> Value {
        let reasons = self.reasons();
        let parts: Vec<String> = self.lock().parts.keys().cloned().collect();
        let list: Vec<Value> =
            reasons.iter().map(|(part, reason)| json!({ "part": part, "reason": reason })).collect();
        json!({ "ready": reasons.is_empty(), "reasons": list, "parts": parts })
    }

    /// Nothing panics while this lock is held; a poisoned value would still be whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadyPart {
    /// It is ready.
    pub fn ready(&self) {
        self.say(None);
    }

    /// It is not, because of `reason`, which callers of `/readyz` see: no secret belongs there.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.say(Some(reason.into()));
    }

    fn say(&self, reason: Option<String>) {
        self.readiness.lock().parts.insert(self.name.clone(), reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_every_part_is() {
        let readiness = Readiness::default();
        assert!(readiness.is_ready());
        let (log, store) = (readiness.part("log"), readiness.part("store"));
        log.ready();
        assert_eq!(readiness.reasons(), [("store".to_owned(), "starting".to_owned())]);
        store.ready();
        assert!(readiness.is_ready());
        log.clone().not_ready("away for 5 s");
        assert_eq!(readiness.document()["reasons"], json!([{ "part": "log", "reason": "away for 5 s" }]));
        assert_eq!(readiness.document()["parts"], json!(["log", "store"]));
        log.ready();
        readiness.stop();
        assert!(!readiness.is_ready());
        assert_eq!(readiness.reasons(), [("process".to_owned(), "stopping".to_owned())]);
    }
}
