//! The thread that talks to librdkafka for one consumer or cursor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tokio::sync::oneshot;

use super::assignment::{RETRY, Work};
use super::consume::{CommitQueue, MessageQueue};
use super::context::Context;
use super::gather::Gathered;
use super::inbox::{Command, Event, Inbox, NO_EPOCH, Place};
use super::lookup::signed;
use super::settings::KafkaSettings;
use super::{class, config, error};
use crate::broker::commit::not_assigned;
use crate::broker::{BrokerError, GroupSettings};
use crate::topology::{Class, Classify, Headers};

/// The longest wait for records or room. Commands end it; an event of the client, such as a rebalance, is heard of by its
/// end. A topology has a consumer for each topic that it reads, most of them silent, so a short one adds up: at 5 ms each
/// took half a percent of a core.
const TICK: Duration = Duration::from_millis(50);
/// How soon it is tried again what the client was not ready for.
pub(super) const SOON: Duration = Duration::from_millis(5);
/// Records taken from librdkafka at once.
const BATCH: usize = 1024;
/// Events served between two batches.
const EVENTS: usize = 16;

/// What a thread reads, and on whose behalf.
pub(super) enum Role {
    Member(GroupSettings),
    Cursor(Vec<(u32, u64)>),
}

/// A partition that is being read.
pub(super) struct Live {
    pub(super) epoch: u32,
    /// Past the last record, or hole, that went to the inbox.
    pub(super) next: u64,
    /// It is being revoked: what still comes of it is somebody else's to read.
    pub(super) draining: bool,
    /// Something of it has arrived since it was taken up.
    pub(super) arrived: bool,
    /// It is paused by its owner, to go on at `next`.
    pub(super) paused: bool,
    /// It is to go on, and the client was not ready for that yet.
    pub(super) resuming: bool,
    /// The client has given it up, as its position was not in the log.
    pub(super) stuck: bool,
}

impl Live {
    pub(super) fn new(epoch: u32, next: u64) -> Self {
        Self { epoch, next, draining: false, arrived: false, paused: false, resuming: false, stuck: false }
    }

    /// Whether something of it is to be tried again soon.
    fn is_unsettled(&self) -> bool {
        self.resuming || !(self.arrived || self.paused)
    }
}

/// The owner's wish to leave: whom to answer, and what.
type Closing = (oneshot::Sender<Result<(), BrokerError>>, Result<(), BrokerError>);

/// Owned by its thread, apart from the inbox. The queues stand before the consumer, to be dropped before it.
pub(super) struct Poller {
    pub(super) queue: MessageQueue,
    pub(super) commits: CommitQueue,
    pub(super) consumer: BaseConsumer<Context>,
    pub(super) settings: Arc<KafkaSettings>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) topic: Arc<str>,
    pub(super) role: Role,
    pub(super) live: BTreeMap<u32, Live>,
    pub(super) last_epoch: u32,
    pub(super) work: Work,
    pub(super) closing: Option<Closing>,
    arena: BytesMut,
    /// Those of the last record.
    headers: Headers,
    /// Set once nothing more can be read.
    failed: bool,
}

/// Starts a thread, and returns its inbox.
pub(super) fn start(
    settings: &Arc<KafkaSettings>,
    config: &ClientConfig,
    topic: &str,
    role: Role,
    prefetch: usize,
) -> Result<Arc<Inbox>, BrokerError> {
    let consumer: BaseConsumer<Context> = config::create(config, Context::default())?;
    let closed = BrokerError::Closed { what: "librdkafka" };
    let queues = MessageQueue::new(&consumer).zip(CommitQueue::new(&consumer));
    let (queue, commits) = queues.ok_or(closed)?;
    let inbox = Arc::new(Inbox::new(prefetch - prefetch / 2, Some(queue.waker())));
    let poller = Poller {
        queue,
        commits,
        consumer,
        settings: Arc::clone(settings),
        inbox: Arc::clone(&inbox),
        topic: topic.into(),
        role,
        live: BTreeMap::new(),
        last_epoch: 0,
        work: Work::default(),
        closing: None,
        arena: BytesMut::new(),
        headers: Headers::default(),
        failed: false,
    };
    let thread = thread::Builder::new().name("kafka-poll".into()).spawn(move || poller.run());
    thread.map_err(|source| BrokerError::Io { context: "cannot start a thread for kafka".into(), source })?;
    Ok(inbox)
}

impl Poller {
    fn run(mut self) {
        let ended = Ended(Arc::clone(&self.inbox));
        let mut begun = false;
        while self.closing.is_none() && !self.inbox.is_abandoned() {
            self.events();
            if !begun {
                begun = self.try_begin();
                continue;
            }
            self.commands();
            self.rebalance();
            self.resume_waiting();
            self.fetch();
        }
        let closing = self.leave();
        // The group knows that this member has gone before its owner does.
        drop(ended);
        if let Some((reply, result)) = closing {
            let _ = reply.send(result);
        }
    }

    /// Whether there is nothing more to begin with: it reads, or never will.
    fn try_begin(&mut self) -> bool {
        match self.begin() {
            Ok(()) => true,
            Err(error) if error.class() == Class::Retryable => {
                tracing::warn!(topic = &*self.topic, %error, "cannot begin to read yet");
                thread::sleep(RETRY);
                false
            }
            Err(error) => {
                self.fail(error);
                true
            }
        }
    }

    /// Takes what there is room for; waits a tick for room and one for records.
    pub(super) fn fetch(&mut self) {
        let wait = if self.live.values().any(Live::is_unsettled) { SOON } else { TICK };
        let room = self.inbox.room(wait).min(BATCH);
        if room == 0 {
            return;
        }
        self.capture_new();
        let mut gathered = Gathered {
            topic: &self.topic,
            live: &mut self.live,
            arena: &mut self.arena,
            headers: &mut self.headers,
            runs: Vec::new(),
            errors: Vec::new(),
        };
        self.queue.take(room, wait, |message| gathered.add(message));
        let Gathered { runs, errors, .. } = gathered;
        for run in runs {
            self.inbox.push(Event::Records(run));
        }
        for (partition, offset, code) in errors {
            self.partition_failed(partition, offset, code);
        }
    }

    /// Redirects partitions of which nothing has come yet once more: a partition that librdkafka was still
    /// stopping when it was taken up again lost its redirection, and keeps its messages to itself.
    fn capture_new(&mut self) {
        for partition in self.live.iter().filter(|(_, live)| !live.arrived).map(|(partition, _)| *partition) {
            if let Err(error) = self.queue.capture(&self.consumer, &self.topic, signed(partition)) {
                tracing::warn!(topic = &*self.topic, partition, %error, "cannot redirect a partition");
            }
        }
    }

    /// Does what the owner asked for.
    pub(super) fn commands(&mut self) {
        while let Some(command) = self.inbox.next_command() {
            match command {
                Command::Commit(commits) => self.commit(&commits),
                Command::CommitNow(commits, reply) => {
                    let whole = self.current(&commits).count() == commits.len();
                    let made = self.commit_and_wait(&commits);
                    let _ = reply.send(made.and_then(|()| if whole { Ok(()) } else { Err(not_assigned()) }));
                }
                Command::Release(commits, reply) => {
                    let result = self.commit_last(&commits);
                    self.work.released = true;
                    let _ = reply.send(result);
                }
                Command::Close(commits, reply) => {
                    let result = self.commit_last(&commits);
                    self.closing = Some((reply, result));
                    return;
                }
                Command::Seek(partition, offset) => {
                    if let Err(error) = self.seek(partition, offset) {
                        self.fail(error);
                    }
                    self.inbox.sought(Place { partition, epoch: NO_EPOCH });
                }
                Command::Pause(place, at) => self.pause(place, at),
                Command::Resume(place) => self.resume(place),
            }
        }
    }

    /// Tells the owner, whose every further call fails.
    pub(super) fn fail(&mut self, error: BrokerError) {
        self.failed = true;
        self.inbox.push(Event::Failed(error));
    }

    /// What the client says beside messages.
    fn events(&mut self) {
        for _ in 0..EVENTS {
            match self.consumer.poll(Duration::ZERO) {
                None => {}
                Some(Ok(message)) => {
                    // Partitions are captured before they are assigned, so nothing can come this way.
                    drop(message);
                    self.fail(BrokerError::Closed { what: "the message queue" });
                }
                Some(Err(error)) => self.client_failed(error),
            }
        }
        self.committed();
    }

    fn client_failed(&mut self, error: KafkaError) {
        if class::class_of(&error) != Class::Fatal {
            // The client tries again by itself.
            tracing::debug!(topic = &*self.topic, %error, "kafka consumer");
            return;
        }
        if !self.failed {
            let error = if error::is_unknown_topic(&error) {
                BrokerError::UnknownTopic { topic: self.topic.to_string() }
            } else {
                error::failed(&self.settings, format!("cannot read topic `{}`", self.topic), error)
            };
            self.fail(error);
        }
    }

    fn partition_failed(&mut self, partition: u32, offset: u64, code: Code) {
        match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange => {
                // The position is what was asked for; the message may name where the log gave up.
                let live = self.live.get(&partition);
                let (epoch, offset) = live.map_or((NO_EPOCH, offset), |live| (live.epoch, live.next));
                self.inbox.push(Event::OutOfRange { partition, epoch, offset });
            }
            code => self.client_failed(KafkaError::MessageConsumption(code)),
        }
    }

    pub(super) fn failed(&self, context: &str, source: KafkaError) -> BrokerError {
        error::failed(&self.settings, format!("{context} of `{}`", self.topic), source)
    }

    /// Gives the partitions back and leaves the group.
    fn leave(mut self) -> Option<Closing> {
        self.consumer.context().close();
        self.answer_all();
        let Self { queue, commits, consumer, closing, .. } = self;
        drop((queue, commits));
        drop(consumer);
        closing
    }
}

/// Says that the thread has ended, also when it panics.
struct Ended(Arc<Inbox>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}
