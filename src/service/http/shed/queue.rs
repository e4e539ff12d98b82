//! Who is at work, and who waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::service::http::{Code, Deadline, Problem};

/// How much is done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShedSettings {
    /// Requests at work at once; at least 1.
    pub max_in_flight: usize,
    /// Requests that wait beside them; 0 = none waits.
    pub max_waiting: usize,
    /// How long one waits at most.
    pub max_wait: Duration,
    /// When a refused caller is to come again.
    pub retry_after: Duration,
}

impl Default for ShedSettings {
    /// 512 at work, 256 waiting for at most 100 ms; to come again after 1 s.
    fn default() -> Self {
        Self {
            max_in_flight: 512,
            max_waiting: 256,
            max_wait: Duration::from_millis(100),
            retry_after: Duration::from_secs(1),
        }
    }
}

/// How it stands, for a look or for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShedStanding {
    /// Requests at work.
    pub in_flight: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Requests that were refused since the start.
    pub refused: u64,
}

/// Lets so many be at work at once. Clones are the same.
#[derive(Debug, Clone)]
pub struct Shed(Arc<Shared>);

/// A place at work; dropped, it goes to the one that waits and came last.
#[derive(Debug)]
pub struct Slot(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    settings: ShedSettings,
    /// Held for a few instructions only; a [`Slot`] is never dropped under it.
    queue: Mutex<Queue>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    in_flight: usize,
    /// By when they came.
    waiting: BTreeMap<u64, oneshot::Sender<Slot>>,
    next: u64,
}

impl Shed {
    /// With nobody at work.
    pub fn new(settings: ShedSettings) -> Self {
        let settings = ShedSettings { max_in_flight: settings.max_in_flight.max(1), ..settings };
        Self(Arc::new(Shared { settings, queue: Mutex::default(), refused: AtomicU64::new(0) }))
    }

    /// A place at work, at once or after a short wait. Cancel-safe: who gives up while waiting has waited for nothing.
    ///
    /// # Errors
    /// [`Code::Overloaded`], with `Retry-After`.
    pub async fn enter(&self, deadline: Option<Deadline>) -> Result<Slot, Problem> {
        let shared = &self.0;
        let Some((number, place, longest)) = shared.queue().enter(&shared.settings) else {
            return Ok(Slot(Some(shared.clone())));
        };
        // It hears that nobody will send it anything.
        drop(longest);
        let Some(place) = place else { return Err(self.refuse()) };
        let _leaves = Leaves { shared, number };
        let most = Deadline::after(shared.settings.max_wait);
        let until = deadline.map_or(most, |deadline| deadline.min(most));
        match timeout_at(until.at(), place).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(self.refuse()),
        }
    }

    /// How it stands now.
    pub fn standing(&self) -> ShedStanding {
        let queue = self.0.queue();
        let (in_flight, waiting) = (queue.in_flight, queue.waiting.len());
        ShedStanding { in_flight, waiting, refused: self.0.refused.load(Ordering::Relaxed) }
    }

    fn refuse(&self) -> Problem {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        Problem::new(Code::Overloaded, "there are more requests than this service can answer in time")
            .retry_after(self.0.settings.retry_after)
    }
}

/// A number in the queue, where to wait, and who has to leave for it.
type Ticket = (u64, Option<oneshot::Receiver<Slot>>, Option<oneshot::Sender<Slot>>);

impl Queue {
    /// Takes a place at work, which is `None`, or one in the queue.
    fn enter(&mut self, settings: &ShedSettings) -> Option<Ticket> {
        if self.in_flight < settings.max_in_flight {
            self.in_flight += 1;
            return None;
        }
        let number = self.next;
        self.next += 1;
        if settings.max_waiting == 0 {
            return Some((number, None, None));
        }
        let full = self.waiting.len() >= settings.max_waiting;
        let longest = if full { self.waiting.pop_first() } else { None };
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(number, sender);
        Some((number, Some(receiver), longest.map(|(_, sender)| sender)))
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the place of one that was at work to the one that came last.
    fn leave(self: Arc<Self>) {
        loop {
            let last = {
                let mut queue = self.queue();
                let last = queue.waiting.pop_last();
                if last.is_none() {
                    queue.in_flight -= 1;
                }
                last
            };
            let Some((_, last)) = last else { return };
            match last.send(Slot(Some(self.clone()))) {
                Ok(()) => return,
                // It has just given up, and its place is this one's again.
                Err(mut unsent) => drop(unsent.0.take()),
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.leave();
        }
    }
}

/// Takes one that waits out of the queue, however its wait ends.
struct Leaves<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        let sender = self.shared.queue().waiting.remove(&self.number);
        drop(sender);
    }
}
