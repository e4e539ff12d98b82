//! A producing client of librdkafka, and who waits for what it delivers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{NoCustomPartitioner, ProducerContext, ThreadedProducer};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::config;
use super::context::trace_log;
use super::settings::KafkaSettings;
use crate::broker::{BrokerError, Position};

/// A client that is never dropped where others wait: that takes until its thread has ended.
pub(super) struct Client(Option<ThreadedProducer<Deliveries>>);

impl Client {
    /// One that tells `room` of each delivery, which makes some.
    pub(super) fn open(settings: &KafkaSettings, room: &Arc<Room>) -> Result<Arc<Self>, BrokerError> {
        let deliveries = Deliveries { room: Arc::clone(room) };
        Ok(Arc::new(Self(Some(config::create(&config::producer(settings)?, deliveries)?))))
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
    type Target = ThreadedProducer<Deliveries>;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let client = self.0.take();
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

/// What one call waits for.
pub(super) struct Call(Mutex<Waiting>);

struct Waiting {
    positions: Vec<Position>,
    left: usize,
    error: Option<KafkaError>,
    done: Option<oneshot::Sender<Result<Vec<Position>, KafkaError>>>,
}

impl Call {
    /// For so many records, and what it comes to.
    pub(super) fn open(records: usize) -> (Arc<Self>, oneshot::Receiver<Result<Vec<Position>, KafkaError>>) {
        let (done, delivered) = oneshot::channel();
        let positions = vec![Position { partition: 0, offset: 0 }; records];
        let waiting = Waiting { positions, left: records, error: None, done: Some(done) };
        (Arc::new(Self(Mutex::new(waiting))), delivered)
    }

    fn settle(&self, index: usize, result: Result<Position, KafkaError>) {
        // What the lock guards is whole after every statement.
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(position) => waiting.positions[index] = position,
            Err(error) => {
                waiting.error.get_or_insert(error);
            }
        }
        waiting.left -= 1;
        if waiting.left == 0
            && let Some(done) = waiting.done.take()
        {
            let outcome = match waiting.error.take() {
                Some(error) => Err(error),
                None => Ok(std::mem::take(&mut waiting.positions)),
            };
            // The caller may have given up.
            let _ = done.send(outcome);
        }
    }
}

/// A record of a call, as it travels through librdkafka and back.
pub(super) struct Ticket {
    call: Arc<Call>,
    index: usize,
}

impl Ticket {
    pub(super) fn of(call: &Arc<Call>, index: usize) -> Box<Self> {
        Box::new(Self { call: Arc::clone(call), index })
    }
}

/// Answers the calls, on the producer's polling thread.
pub(super) struct Deliveries {
    room: Arc<Room>,
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
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let result = match result {
            Ok(message) => Ok(Position {
                partition: u32::try_from(message.partition()).unwrap_or_default(),
                offset: u64::try_from(message.offset()).unwrap_or_default(),
            }),
            Err((error, _)) => Err(error.clone()),
        };
        ticket.call.settle(ticket.index, result);
        self.room.made();
    }
}
