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
    parts: BTreeMap<String, Said>,
}

/// How a part stands, by its own word.
#[derive(Debug, Clone)]
enum Said {
    Ready,
    Degraded(String),
    NotReady(String),
}

impl Said {
    fn not_ready(&self) -> Option<&String> {
        if let Self::NotReady(reason) = self { Some(reason) } else { None }
    }

    fn degraded(&self) -> Option<&String> {
        if let Self::Degraded(reason) = self { Some(reason) } else { None }
    }
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
        self.lock().parts.insert(name.clone(), Said::NotReady("starting".to_owned()));
        ReadyPart { name, readiness: self.clone() }
    }

    /// The process stops: it is not ready again.
    pub fn stop(&self) {
        self.lock().stopping = true;
    }

    /// Whether all parts are ready and the process does not stop.
    pub fn is_ready(&self) -> bool {
        let state = self.lock();
        !state.stopping && state.parts.values().all(|said| said.not_ready().is_none())
    }

    /// The parts that are not ready with their reasons, by name; `process` while it stops.
    pub fn reasons(&self) -> Vec<(String, String)> {
        let state = self.lock();
        let stopping = state.stopping.then(|| ("process".to_owned(), "stopping".to_owned()));
        stopping.into_iter().chain(state.those(Said::not_ready)).collect()
    }

    /// The parts that are ready, and what they lack all the same, by name.
    pub fn degraded(&self) -> Vec<(String, String)> {
        self.lock().those(Said::degraded).collect()
    }

    /// `{"ready": …, "reasons": [{"part": …, "reason": …}], "degraded": [{"part": …, "reason": …}], "parts": [every name]}`
    pub fn document(&self) -> Value {
        let (reasons, degraded) = (self.reasons(), self.degraded());
        let parts: Vec<String> = self.lock().parts.keys().cloned().collect();
        let list = |pairs: &[(String, String)]| -> Value {
            pairs.iter().map(|(part, reason)| json!({ "part": part, "reason": reason })).collect()
        };
        json!({
            "ready": reasons.is_empty(),
            "reasons": list(&reasons),
            "degraded": list(&degraded),
            "parts": parts,
        })
    }

    /// Nothing panics while this lock is held; a poisoned value would still be whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn those(&self, which: fn(&Said) -> Option<&String>) -> impl Iterator<Item = (String, String)> {
        self.parts.iter().filter_map(move |(name, said)| Some((name.clone(), which(said)?.clone())))
    }
}

impl ReadyPart {
    /// It is ready.
    pub fn ready(&self) {
        self.say(Said::Ready);
    }

    /// It is ready, though not all is well because of `reason`, which callers of `/readyz` see: no secret belongs there.
    pub fn degraded(&self, reason: impl Into<String>) {
        self.say(Said::Degraded(reason.into()));
    }

    /// It is not, because of `reason`, which callers of `/readyz` see: no secret belongs there.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.say(Said::NotReady(reason.into()));
    }

    fn say(&self, said: Said) {
        self.readiness.lock().parts.insert(self.name.clone(), said);
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
        log.degraded("slow");
        let degraded = json!([{ "part": "log", "reason": "slow" }]);
        assert_eq!((readiness.is_ready(), &readiness.document()["degraded"]), (true, &degraded));
        log.ready();
        assert_eq!(readiness.document()["degraded"], json!([]));
        readiness.stop();
        assert!(!readiness.is_ready());
        assert_eq!(readiness.reasons(), [("process".to_owned(), "stopping".to_owned())]);
    }
}
