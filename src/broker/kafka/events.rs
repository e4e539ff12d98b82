//! A producer whose events (deliveries, errors, logs) are served by a thread of its own.
//!
//! The wrapper has such a producer, whose thread asks for events with a time-out. Its asking counts in whole milliseconds,
//! so for the last one of each tenth of a second it asks without waiting: a hundredth of a core for each producer, idle or
//! not, and ten times a second somebody else who waits up to a millisecond for that core. The thread here sleeps until
//! librdkafka says that there is something.

#![allow(unsafe_code, reason = "the wrapper lacks the call by which librdkafka tells that a queue has something")]

use std::ffi::c_void;
use std::io;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::producer::{BaseProducer, NoCustomPartitioner, Producer, ProducerContext};

/// The thread looks this often even if it is told nothing.
const LOOK: Duration = Duration::from_secs(1);

/// A producer, and the thread that serves it. Dropped, it waits for the thread, which does not wait for anything.
pub(super) struct Served<C: ProducerContext<NoCustomPartitioner> + 'static> {
    producer: Arc<BaseProducer<C>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<C: ProducerContext<NoCustomPartitioner> + 'static> Served<C> {
    /// Starts the thread.
    pub(super) fn start(producer: BaseProducer<C>) -> io::Result<Self> {
        let (producer, stop) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let (served, told) = (Arc::clone(&producer), Arc::clone(&stop));
        let serve = move || {
            let events = Events::of(&*served);
            while !told.load(Ordering::Acquire) {
                while events.are_there() {
                    served.poll(Duration::ZERO);
                }
                // What is told from the last look on ends the wait at once.
                thread::park_timeout(LOOK);
            }
        };
        let thread = Some(thread::Builder::new().name("kafka-produce".into()).spawn(serve)?);
        Ok(Self { producer, stop, thread })
    }
}

impl<C: ProducerContext<NoCustomPartitioner> + 'static> Deref for Served<C> {
    type Target = BaseProducer<C>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl<C: ProducerContext<NoCustomPartitioner> + 'static> Drop for Served<C> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of a callback was told when it happened.
            let _panicked = thread.join();
        }
    }
}

/// The queue of a producer's events, which unparks the thread that made this when one arrives while it is empty.
struct Events {
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// What the callback is given; never moved.
    _reader: Box<Thread>,
}

impl Events {
    fn of<C: ProducerContext<NoCustomPartitioner>>(producer: &BaseProducer<C>) -> Self {
        let reader = Box::new(thread::current());
        let told = ptr::from_ref::<Thread>(&reader).cast_mut().cast::<c_void>();
        // SAFETY: the client pointer is valid as long as `producer` is borrowed; a reference to its queue is ours until it is
        // destroyed. The callback is taken away before what it is given is freed.
        unsafe {
            let queue = sys::rd_kafka_queue_get_main(producer.client().native_ptr());
            let queue = NonNull::new(queue).expect("a producer has a queue");
            sys::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(unpark), told);
            Self { queue, _reader: reader }
        }
    }

    fn are_there(&self) -> bool {
        // SAFETY: the queue is valid until this is dropped.
        unsafe { sys::rd_kafka_queue_length(self.queue.as_ptr()) > 0 }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // SAFETY: the queue is valid. Its lock is held while the callback runs and while it is taken away, so that it is over
        // before what it was given is freed.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// # Safety
/// `reader` is a [`Thread`] that lives until the callback is taken away.
unsafe extern "C" fn unpark(_client: *mut sys::rd_kafka_t, reader: *mut c_void) {
    // SAFETY: as above.
    unsafe { (*reader.cast::<Thread>()).unpark() }
}
