//! A producing client of librdkafka, and who waits for what it delivers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, NoCustomPartitioner, ProducerContext};
use slab::Slab;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::config;
use super::context::trace_log;
use super::events::Served;
use super::settings::KafkaSettings;
use crate::broker::{BrokerError, Position};

/// A client that is never dropped where others wait: that takes until its thread has ended.
pub(super) struct Client {
    producer: Option<Served<Deliveries>>,
    calls: Arc<Calls>,
}

impl Client {
    /// One that tells `room` of each delivery, which makes some.
    pub(super) fn open(settings: &KafkaSettings, room: &Arc<Room>) -> Result<Arc<Self>, BrokerError> {
        let calls = Arc::<Calls>::default();
        let deliveries = Deliveries { room: Arc::clone(room), calls: Arc::clone(&calls) };
        let producer: BaseProducer<_> = config::create(&config::producer(settings)?, deliveries)?;
        let served = Served::start(producer);
        let served = served
            .map_err(|source| BrokerError::Io { context: "cannot start a thread for kafka".into(), source })?;
        Ok(Arc::new(Self { producer: Some(served), calls }))
    }

    /// An append of so many records, and what it comes to.
    pub(super) fn call(&self, records: usize) -> (Call, oneshot::Receiver<Outcome>) {
        self.calls.open(records)
    }

    /// Whether one that has ended for this reason may be followed by another: not one that lacks a permission.
    pub(super) fn has_lost_track(code: Code) -> bool {
        matches!(
            code,
            Code::OutOfOrderSequenceNumber
                | Code::UnknownProducerId
                | Code::InvalidProducerIdMapping
                | Code::InvalidProducerEpoch
                | Code::Inconsistent
        )
    }
}

impl std::ops::Deref for Client {
    type Target = BaseProducer<Deliveries>;

    fn deref(&self) -> &Self::Target {
        self.producer.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let client = self.producer.take();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => _ = runtime.spawn_blocking(move || drop(client)),
            Err(_) => drop(client),
        }
    }
}

/// Room in the queue, for those that found it full.
#[derive(Default)]
pub(super) struct Room {
    waiting: AtomicUsize,
    made: Notify,
}

impl Room {
    /// Waits until some was made, so long at most. What is made just before goes unnoticed.
    pub(super) async fn wait(&self, at_most: Duration) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let waits = Waits(self);
        let _made_or_not = timeout(at_most, self.made.notified()).await;
        drop(waits);
    }

    /// Says that some was made: of each record, so it costs next to nothing while nobody waits.
    fn made(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.made.notify_waiters();
        }
    }
}

/// One that waits, until it is dropped.
struct Waits<'a>(&'a Room);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Appends that librdkafka has records of. A record carries the number of its append and its place in it, so nothing has to
/// be allocated for each, which another thread would have to free.
#[derive(Default)]
pub(super) struct Calls(Mutex<Slab<Waiting>>);

/// An append that waits.
struct Waiting {
    positions: Vec<Position>,
    left: usize,
    error: Option<KafkaError>,
    done: Option<oneshot::Sender<Outcome>>,
}

type Outcome = Result<Vec<Position>, KafkaError>;

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    call: u32,
    index: u32,
}

/// One append, while its records are handed over. Those that were not when it is dropped are not waited for.
pub(super) struct Call {
    calls: Arc<Calls>,
    number: u32,
    records: u32,
    handed_over: u32,
}

impl Calls {
    /// For so many records, and what it comes to.
    fn open(self: &Arc<Self>, records: usize) -> (Call, oneshot::Receiver<Outcome>) {
        let (done, delivered) = oneshot::channel();
        let positions = vec![Position { partition: 0, offset: 0 }; records];
        let waiting = Waiting { positions, left: records, error: None, done: Some(done) };
        let number = self.lock().insert(waiting);
        let small = |number: usize| u32::try_from(number).expect("more than memory has room for");
        (
            Call { calls: Arc::clone(self), number: small(number), records: small(records), handed_over: 0 },
            delivered,
        )
    }

    fn settle(&self, ticket: Ticket, result: Result<Position, KafkaError>) {
        self.of(ticket.call, |waiting| {
            match result {
                Ok(position) => waiting.positions[ticket.index as usize] = position,
                Err(error) => _ = waiting.error.get_or_insert(error),
            }
            waiting.left -= 1;
        });
    }

    /// Does something to an append, and ends it when nothing of it is left.
    fn of(&self, number: u32, act: impl FnOnce(&mut Waiting)) {
        let mut calls = self.lock();
        let Some(waiting) = calls.get_mut(number as usize) else { return };
        act(waiting);
        if waiting.left > 0 {
            return;
        }
        let mut waiting = calls.remove(number as usize);
        drop(calls);
        if let Some(done) = waiting.done.take() {
            let outcome = waiting.error.map_or(Ok(waiting.positions), Err);
            // The caller may have given up.
            let _ = done.send(outcome);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Waiting>> {
        // What the lock guards is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// What the next record carries.
    pub(super) fn next(&self) -> Ticket {
        Ticket { call: self.number, index: self.handed_over }
    }

    /// The next record was handed over: librdkafka says what becomes of it.
    pub(super) fn handed_over(&mut self) {
        self.handed_over += 1;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let never = (self.records - self.handed_over) as usize;
        if never > 0 {
            self.calls.of(self.number, |waiting| waiting.left -= never);
        }
    }
}

impl Ticket {
    /// As librdkafka carries it.
    pub(super) fn to_opaque(self) -> usize {
        const { assert!(usize::BITS >= u64::BITS, "both numbers fit") };
        (self.call as usize) << u32::BITS | self.index as usize
    }

    fn from_opaque(opaque: usize) -> Self {
        Self { call: (opaque >> u32::BITS) as u32, index: opaque as u32 }
    }
}

/// Answers the calls, on the producer's polling thread.
pub(super) struct Deliveries {
    room: Arc<Room>,
    calls: Arc<Calls>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        trace_log(level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Deliveries {
    /// A [`Ticket`].
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: usize) {
        let result = match result {
            Ok(message) => Ok(Position {
                partition: u32::try_from(message.partition()).unwrap_or_default(),
                offset: u64::try_from(message.offset()).unwrap_or_default(),
            }),
            Err((error, _)) => Err(error.clone()),
        };
        self.calls.settle(Ticket::from_opaque(ticket), result);
        self.room.made();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Position {
        Position { partition: 0, offset }
    }

    #[test]
    fn a_ticket_comes_back_as_it_went() {
        for ticket in [
            Ticket { call: 0, index: 0 },
            Ticket { call: u32::MAX, index: 7 },
            Ticket { call: 3, index: u32::MAX },
        ] {
            assert_eq!(Ticket::from_opaque(ticket.to_opaque()), ticket);
        }
    }

    #[test]
    fn each_append_gets_its_own_positions_whatever_the_order() {
        let calls = Arc::<Calls>::default();
        let mut opened: Vec<_> = (0..3).map(|n| calls.open(n + 1)).collect();
        let mut tickets = Vec::new();
        for (n, (call, _)) in opened.iter_mut().enumerate() {
            for index in 0..=n {
                tickets.push((call.next(), at((10 * n + index) as u64)));
                call.handed_over();
            }
        }
        tickets.reverse();
        for (ticket, position) in tickets {
            calls.settle(ticket, Ok(position));
        }
        for (n, (call, delivered)) in opened.iter_mut().enumerate() {
            let wanted: Vec<_> = (0..=n).map(|index| at((10 * n + index) as u64)).collect();
            assert_eq!(delivered.try_recv().unwrap().unwrap(), wanted);
            assert_eq!(call.records, call.handed_over);
        }
        assert!(calls.lock().is_empty());
    }

    #[test]
    fn what_was_never_handed_over_is_not_waited_for() {
        let calls = Arc::<Calls>::default();
        for settled_before in [true, false] {
            let (mut call, mut delivered) = calls.open(5);
            let ticket = call.next();
            call.handed_over();
            let settle = || calls.settle(ticket, Err(KafkaError::Canceled));
            if settled_before {
                settle();
            }
            assert!(delivered.try_recv().is_err());
            drop(call);
            if !settled_before {
                assert!(delivered.try_recv().is_err());
                settle();
            }
            assert!(delivered.try_recv().unwrap().is_err(), "one of five failed");
            assert!(calls.lock().is_empty());
        }
        drop(calls.open(3));
        assert!(calls.lock().is_empty());
    }

    /// The report may be there before the thread that handed the record over goes on.
    #[test]
    fn one_that_ends_while_it_is_handed_over_leaves_the_next_of_its_number_alone() {
        let calls = Arc::<Calls>::default();
        let (mut first, mut delivered) = calls.open(1);
        calls.settle(first.next(), Ok(at(1)));
        assert_eq!(delivered.try_recv().unwrap().unwrap(), [at(1)]);
        let (mut second, mut waits) = calls.open(1);
        assert_eq!(second.number, first.number);
        first.handed_over();
        drop(first);
        assert!(waits.try_recv().is_err());
        let ticket = second.next();
        second.handed_over();
        drop(second);
        calls.settle(ticket, Ok(at(2)));
        assert_eq!(waits.try_recv().unwrap().unwrap(), [at(2)]);
        assert!(calls.lock().is_empty());
    }
}
