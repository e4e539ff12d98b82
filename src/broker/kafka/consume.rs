//! The calls of librdkafka that its Rust wrapper lacks: a queue of messages alone, a synchronous commit that ends, one
//! that is not waited for and yet heard of, and metadata of commits that need not be text.
//!
//! Messages and events are kept apart. The wrapper serves events (rebalances, errors, logs) from the consumer's
//! queue; each partition's messages are forwarded to a queue of their own, which may be left alone while the
//! reader is full, without the membership noticing.
//!
//! Messages are taken one by one, with one look at the clock and no allocation each, not by
//! `rd_kafka_consume_batch_queue`: that call also counts the end-of-partition mark as a record, and when the
//! partition is paused next, as every cooperative rebalance does, reading goes on one record too far.

#![allow(unsafe_code, reason = "the calls of librdkafka that its wrapper lacks")]

use std::ffi::{CStr, CString, c_int, c_void};
use std::fmt;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// A queue of messages of a consumer's partitions.
///
/// It must be dropped before its consumer: the owner keeps both, the queue first.
pub(super) struct MessageQueue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    waker: Waker,
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for MessageQueue {}

/// Ends a wait for messages, from any thread; does nothing once the queue is gone.
#[derive(Clone)]
pub(super) struct Waker(Arc<Mutex<Option<Shared>>>);

/// A queue as long as it is there.
struct Shared(NonNull<sys::rd_kafka_queue_t>);

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for Shared {}

impl Waker {
    /// Has the wait of [`MessageQueue::take`] end now, or the next one at once, unless there is a message.
    pub(super) fn wake(&self) {
        if let Some(Shared(queue)) = &*self.lock() {
            // SAFETY: the queue is destroyed only after it was taken from here, under the same lock.
            unsafe { sys::rd_kafka_queue_yield(queue.as_ptr()) }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

impl MessageQueue {
    /// A queue on which nothing arrives yet; `None` when librdkafka is out of memory.
    pub(super) fn new<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Option<Self> {
        // SAFETY: the client pointer is valid as long as `consumer` is borrowed.
        let queue = unsafe { sys::rd_kafka_queue_new(consumer.client().native_ptr()) };
        let queue = NonNull::new(queue)?;
        Some(Self { queue, waker: Waker(Arc::new(Mutex::new(Some(Shared(queue))))) })
    }

    /// What ends its waits.
    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Sends the messages of a partition here, those included that wait with it, until it is next unassigned.
    /// Called before the partition is assigned, so that none takes the other way, and again until one has
    /// come: the end of an earlier assignment, which librdkafka does in its own time, undoes it.
    pub(super) fn capture<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        topic: &str,
        partition: i32,
    ) -> Result<(), KafkaError> {
        let topic = CString::new(topic)?;
        // SAFETY: client and topic are valid for the call; the source queue is a reference of its own, which
        // is destroyed here, while the forwarding it set up stays with the partition.
        unsafe {
            let source =
                sys::rd_kafka_queue_get_partition(consumer.client().native_ptr(), topic.as_ptr(), partition);
            if source.is_null() {
                return Err(KafkaError::Subscription(format!("no queue for partition {partition}")));
            }
            sys::rd_kafka_queue_forward(source, self.queue.as_ptr());
            sys::rd_kafka_queue_destroy(source);
        }
        Ok(())
    }

    /// Calls `each` for every message that is there, at most `max`, in order. Waits up to `wait` for the first
    /// one, less when it is [woken](Waker::wake), never for more.
    pub(super) fn take(&mut self, max: usize, wait: Duration, mut each: impl FnMut(&Message<'_>)) {
        let mut wait_ms = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
        for _ in 0..max {
            // SAFETY: the queue is valid; the message that comes, if one does, is ours until it is destroyed.
            let message = unsafe { sys::rd_kafka_consume_queue(self.queue.as_ptr(), wait_ms) };
            let Some(message) = NonNull::new(message) else { return };
            let owned = Owned(message);
            // SAFETY: valid until `owned` is dropped.
            each(&Message(unsafe { owned.0.as_ref() }));
            wait_ms = 0;
        }
    }
}

impl Drop for MessageQueue {
    fn drop(&mut self) {
        self.waker.lock().take();
        // SAFETY: this is the only reference that this value owns; librdkafka counts those of partitions.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// Commits that nobody waits for, and what became of them.
///
/// The wrapper's asynchronous commit names no queue for the answer, and sets no callback: of one that the group refused,
/// as while it rebalances, nobody would hear.
///
/// It must be dropped before its consumer, like a [`MessageQueue`].
pub(super) struct CommitQueue {
    replies: NonNull<sys::rd_kafka_queue_t>,
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for CommitQueue {}

impl CommitQueue {
    /// A queue on which no answer has arrived; `None` when librdkafka is out of memory.
    pub(super) fn new<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Option<Self> {
        // SAFETY: the client pointer is valid as long as `consumer` is borrowed.
        let replies = unsafe { sys::rd_kafka_queue_new(consumer.client().native_ptr()) };
        Some(Self { replies: NonNull::new(replies)? })
    }

    /// Has `offsets` committed.
    pub(super) fn send<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        offsets: &TopicPartitionList,
    ) -> Result<(), KafkaError> {
        // SAFETY: client, list and queue are valid for the call, which copies the list and counts the queue.
        let sent = unsafe {
            let client = consumer.client().native_ptr();
            sys::rd_kafka_commit_queue(client, offsets.ptr(), self.replies.as_ptr(), None, ptr::null_mut())
        };
        outcome(sent)
    }

    /// What became of the next commit that is over, if there is one.
    pub(super) fn next(&self) -> Option<Result<(), KafkaError>> {
        // SAFETY: the queue is valid; an event that comes is ours, and is destroyed once.
        unsafe {
            let event = NonNull::new(sys::rd_kafka_queue_poll(self.replies.as_ptr(), 0))?;
            let code = sys::rd_kafka_event_error(event.as_ptr());
            sys::rd_kafka_event_destroy(event.as_ptr());
            Some(outcome(code))
        }
    }
}

impl Drop for CommitQueue {
    fn drop(&mut self) {
        // SAFETY: this is the only reference that this value owns; librdkafka counts those of answers on their way.
        unsafe { sys::rd_kafka_queue_destroy(self.replies.as_ptr()) }
    }
}

/// A commit of nothing is done at once.
fn outcome(code: sys::rd_kafka_resp_err_t) -> Result<(), KafkaError> {
    match RDKafkaErrorCode::from(code) {
        RDKafkaErrorCode::NoError | RDKafkaErrorCode::NoOffset => Ok(()),
        code => Err(KafkaError::ConsumerCommit(code)),
    }
}

/// A message that is destroyed when it has been looked at, also when looking panics.
struct Owned(NonNull<sys::rd_kafka_message_t>);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the message was received once and is destroyed once.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

/// A message, or an error of one partition, that librdkafka still owns.
pub(super) struct Message<'a>(&'a sys::rd_kafka_message_t);

impl Message<'_> {
    /// Set when this is not a message but an event of the partition.
    pub(super) fn error(&self) -> Option<RDKafkaErrorCode> {
        let code = RDKafkaErrorCode::from(self.0.err);
        (code != RDKafkaErrorCode::NoError).then_some(code)
    }

    /// What the library says about the error.
    pub(super) fn reason(&self) -> String {
        // SAFETY: the message is valid; the text lives as long as it, and is copied.
        unsafe {
            let text = sys::rd_kafka_message_errstr(self.0);
            if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
        }
    }

    pub(super) fn partition(&self) -> i32 {
        self.0.partition
    }

    pub(super) fn offset(&self) -> i64 {
        self.0.offset
    }

    pub(super) fn key(&self) -> Option<&[u8]> {
        // SAFETY: the library guarantees `key_len` bytes at a key that is not null.
        unsafe { bytes(self.0.key, self.0.key_len) }
    }

    pub(super) fn payload(&self) -> Option<&[u8]> {
        // SAFETY: the library guarantees `len` bytes at a payload that is not null.
        unsafe { bytes(self.0.payload, self.0.len) }
    }

    /// Milliseconds since the Unix epoch; `None` when the record has no timestamp.
    pub(super) fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid, `kind` is written during the call only.
        let time = unsafe { sys::rd_kafka_message_timestamp(self.0, &mut kind) };
        (kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE).then_some(time)
    }

    /// Calls `each` with the name and the value of every header; a null value is given as an empty one.
    pub(super) fn headers(&self, mut each: impl FnMut(&[u8], &[u8])) {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is valid and owns the headers that the call points to.
        let error = unsafe { sys::rd_kafka_message_headers(self.0, &mut headers) };
        if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || headers.is_null() {
            return;
        }
        for index in 0.. {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            // SAFETY: `headers` is valid as long as the message; past the last index the call says so and
            // writes nothing, otherwise it writes a terminated name and a value of `size` bytes.
            unsafe {
                let error = sys::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size);
                if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return;
                }
                each(CStr::from_ptr(name).to_bytes(), bytes(value.cast_mut(), size).unwrap_or_default());
            }
        }
    }
}

/// # Safety
/// When `data` is not null, `len` bytes at it are valid for `'a`.
unsafe fn bytes<'a>(data: *mut c_void, len: usize) -> Option<&'a [u8]> {
    if data.is_null() {
        return None;
    }
    // SAFETY: what the caller guarantees.
    Some(unsafe { slice::from_raw_parts(data.cast::<u8>().cast_const(), len) })
}

/// Commits `offsets` and waits for the group's answer, at most `wait`: the wrapper's synchronous commit waits
/// for ever when the coordinator is gone.
pub(super) fn commit<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    offsets: &TopicPartitionList,
    wait: Duration,
) -> Result<(), KafkaError> {
    let wait_ms = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: client and list are valid for the calls, the list is copied by the first. The reply queue is
    // counted: an answer that comes after it was destroyed here is dropped by the library. An event is
    // destroyed once.
    let code = unsafe {
        let client = consumer.client().native_ptr();
        let replies = sys::rd_kafka_queue_new(client);
        let sent = sys::rd_kafka_commit_queue(client, offsets.ptr(), replies, None, ptr::null_mut());
        let code = if sent == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            let event = sys::rd_kafka_queue_poll(replies, wait_ms);
            if event.is_null() {
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT
            } else {
                let code = sys::rd_kafka_event_error(event);
                sys::rd_kafka_event_destroy(event);
                code
            }
        } else {
            sent
        };
        sys::rd_kafka_queue_destroy(replies);
        code
    };
    outcome(code)
}

/// What was committed beside the offset of an element of `list`: bytes that anybody may have written.
pub(super) fn metadata(list: &TopicPartitionList, at: usize) -> &[u8] {
    assert!(at < list.count(), "the caller counts elements of this very list");
    // SAFETY: the list is valid and has this element; its metadata lives as long as the list, which is borrowed.
    unsafe {
        let element = &*(*list.ptr()).elems.add(at);
        bytes(element.metadata, element.metadata_size).unwrap_or_default()
    }
}
