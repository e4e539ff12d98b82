//! What passes between the polling thread and the task that owns the consumer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::consume::Waker;
use crate::broker::{BrokerError, Commit, Fetched, Granted};

/// From the thread to the task.
#[derive(Debug)]
pub(super) enum Event {
    Assigned(Vec<Granted>),
    Revoking(Vec<u32>),
    Lost(Vec<u32>),
    Records(Fetched),
    /// The offset of a partition is not in the log.
    OutOfRange {
        partition: u32,
        epoch: u32,
        offset: u64,
    },
    Failed(BrokerError),
}

/// A commit, and the epoch of the assignment that it is made for.
pub(super) type Stamped = (u32, Commit);

/// From the task to the thread.
#[derive(Debug)]
pub(super) enum Command {
    Commit(Vec<Stamped>),
    CommitNow(Vec<Stamped>, oneshot::Sender<Result<(), BrokerError>>),
    Release(Vec<Stamped>, oneshot::Sender<Result<(), BrokerError>>),
    Close(Vec<Stamped>, oneshot::Sender<Result<(), BrokerError>>),
    /// Partition and offset, of a cursor.
    Seek(u32, u64),
    /// What is paused, and where it goes on.
    Pause(Place, u64),
    Resume(Place),
}

/// A partition as of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) partition: u32,
    pub(super) epoch: u32,
}

/// Epoch of what a cursor reads.
pub(super) const NO_EPOCH: u32 = 0;

/// Both directions. Records are bounded; the rest is as little as there are rebalances and calls.
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Records that may wait.
    limit: usize,
    /// For the thread that waits for room: there is some, or a command, or nobody left.
    thread: Condvar,
    /// For the thread that waits for records: there is a command, or nobody left.
    waker: Option<Waker>,
    /// For the task: there is an event.
    task: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    /// Records in `events`.
    records: usize,
    commands: VecDeque<Command>,
    /// Seeks and pauses that the thread has not done yet: what it fetches until then is from elsewhere. That of another
    /// assignment is not concerned.
    seeking: BTreeMap<Place, usize>,
    /// A failed commit that nobody was told about.
    commit_error: Option<BrokerError>,
    /// The task has dropped its end.
    abandoned: bool,
    /// The thread has ended.
    ended: bool,
}

impl Inbox {
    /// One that holds so many records, whose thread waits for room alone, or also for records where `waker` wakes it.
    pub(super) fn new(limit: usize, waker: Option<Waker>) -> Self {
        let limit = limit.max(1);
        Self { state: Mutex::default(), limit, thread: Condvar::new(), waker, task: Notify::new() }
    }

    // The task's side.

    /// The next event, of which records are at most `max`; `None` while there is none.
    pub(super) fn try_next(&self, max: usize) -> Result<Option<Event>, BrokerError> {
        let mut state = self.lock();
        let Some(event) = state.events.pop_front() else {
            return if state.ended { Err(BrokerError::Closed { what: "the consumer" }) } else { Ok(None) };
        };
        let Event::Records(fetched) = event else { return Ok(Some(event)) };
        let (now, later) = split(fetched, max.max(1));
        state.records -= now.records.len();
        if let Some(later) = later {
            state.events.push_front(Event::Records(later));
        }
        drop(state);
        self.thread.notify_one();
        Ok(Some(Event::Records(now)))
    }

    /// Waits until there may be an event.
    pub(super) async fn changed(&self) {
        self.task.notified().await;
    }

    pub(super) fn send(&self, command: Command) -> Result<(), BrokerError> {
        let mut state = self.lock();
        if state.ended {
            return Err(BrokerError::Closed { what: "the consumer" });
        }
        state.commands.push_back(command);
        drop(state);
        self.wake();
        Ok(())
    }

    /// Forgets what was fetched of a cursor's `partition` and has the thread go on at `offset`.
    pub(super) fn seek(&self, partition: u32, offset: u64) -> Result<(), BrokerError> {
        self.drop_fetched(Place { partition, epoch: NO_EPOCH });
        self.send(Command::Seek(partition, offset))
    }

    /// Forgets what was fetched of a member's partition; nothing more of it comes before it is resumed.
    pub(super) fn pause(&self, place: Place, at: u64) -> Result<(), BrokerError> {
        self.drop_fetched(place);
        self.send(Command::Pause(place, at))
    }

    fn drop_fetched(&self, place: Place) {
        let mut state = self.lock();
        state.forget(|of| of == place);
        *state.seeking.entry(place).or_default() += 1;
    }

    /// A commit that failed since the last call.
    pub(super) fn take_commit_error(&self) -> Option<BrokerError> {
        self.lock().commit_error.take()
    }

    /// Nobody will call again.
    pub(super) fn abandon(&self) {
        self.lock().abandoned = true;
        self.wake();
    }

    /// Has the thread look at the state now, whatever it waits for.
    fn wake(&self) {
        self.thread.notify_one();
        if let Some(waker) = &self.waker {
            waker.wake();
        }
    }

    // The thread's side.

    /// Records for which there is room, after at most `wait`; 0 also when there is a command.
    pub(super) fn room(&self, wait: Duration) -> usize {
        let state = self.lock();
        let full =
            |state: &mut State| state.records >= self.limit && state.commands.is_empty() && !state.abandoned;
        let (state, _) = self.thread.wait_timeout_while(state, wait, full).unwrap_or_else(PoisonError::into_inner);
        self.limit.saturating_sub(state.records)
    }

    pub(super) fn next_command(&self) -> Option<Command> {
        self.lock().commands.pop_front()
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    pub(super) fn push(&self, event: Event) {
        let mut state = self.lock();
        if event.place().is_some_and(|place| state.seeking.contains_key(&place)) {
            return;
        }
        if let Event::Records(fetched) = &event {
            state.records += fetched.records.len();
        }
        state.events.push_back(event);
        drop(state);
        self.task.notify_one();
    }

    /// Says that partitions go, with `event`, and drops what was fetched of them.
    pub(super) fn take_away(&self, partitions: &[u32], event: Event) {
        self.lock().forget(|of| partitions.contains(&of.partition));
        self.push(event);
    }

    /// The thread reads a partition from where it was sent.
    pub(super) fn sought(&self, place: Place) {
        let mut state = self.lock();
        if let Some(pending) = state.seeking.get_mut(&place) {
            *pending -= 1;
            if *pending == 0 {
                state.seeking.remove(&place);
            }
        }
    }

    pub(super) fn commit_failed(&self, error: BrokerError) {
        self.lock().commit_error = Some(error);
    }

    /// No event will come any more; commands that wait are answered by being dropped.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        let unanswered = std::mem::take(&mut state.commands);
        drop(state);
        drop(unanswered);
        self.task.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole after every statement, so a panic of the other side does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Event {
    /// What it is about, when that can be paused.
    fn place(&self) -> Option<Place> {
        match self {
            Self::Records(Fetched { partition, epoch, .. }) | Self::OutOfRange { partition, epoch, .. } => {
                Some(Place { partition: *partition, epoch: *epoch })
            }
            _ => None,
        }
    }
}

impl State {
    fn forget(&mut self, which: impl Fn(Place) -> bool) {
        self.events.retain(|event| !event.place().is_some_and(&which));
        let left = |event: &Event| if let Event::Records(fetched) = event { fetched.records.len() } else { 0 };
        self.records = self.events.iter().map(left).sum();
    }
}

/// The first `max` records, and the rest.
fn split(mut fetched: Fetched, max: usize) -> (Fetched, Option<Fetched>) {
    if fetched.records.len() <= max {
        return (fetched, None);
    }
    let records = fetched.records.split_off(max);
    let later = Fetched { records, ..fetched };
    let next = fetched.records.last().map_or(fetched.next, |last| last.origin.offset + 1);
    (Fetched { next, ..fetched }, Some(later))
}
