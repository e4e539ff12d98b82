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
        Self::looking(producer, LOOK)
    }

    fn looking(producer: BaseProducer<C>, often: Duration) -> io::Result<Self> {
        let (producer, stop) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let (served, told) = (Arc::clone(&producer), Arc::clone(&stop));
        let serve = move || {
            let events = Events::of(&*served);
            while !told.load(Ordering::Acquire) {
                while events.are_there() {
                    served.poll(Duration::ZERO);
                }
                // What is told from the last look on ends the wait at once.
                thread::park_timeout(often);
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
    /// What the callback is given; freed here.
    reader: NonNull<Thread>,
}

impl Events {
    fn of<C: ProducerContext<NoCustomPartitioner>>(producer: &BaseProducer<C>) -> Self {
        let reader = NonNull::from(Box::leak(Box::new(thread::current())));
        // SAFETY: the client pointer is valid as long as `producer` is borrowed; a reference to its queue is ours until it is
        // destroyed. The callback is taken away before what it is given is freed.
        unsafe {
            let queue = sys::rd_kafka_queue_get_main(producer.client().native_ptr());
            let queue = NonNull::new(queue).expect("a producer has a queue");
            sys::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(unpark), reader.as_ptr().cast());
            Self { queue, reader }
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
        // before what it was given, which was a box, is freed.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
            drop(Box::from_raw(self.reader.as_ptr()));
        }
    }
}

/// # Safety
/// `reader` is a [`Thread`] that lives until the callback is taken away.
unsafe extern "C" fn unpark(_client: *mut sys::rd_kafka_t, reader: *mut c_void) {
    // SAFETY: as above.
    unsafe { (*reader.cast::<Thread>()).unpark() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::sync::mpsc;
    use std::time::Instant;

    use rdkafka::ClientConfig;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseRecord, DefaultProducerContext};

    use super::*;

    /// Only a bound: a thread that nobody wakes sleeps for a day.
    const LONG: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn the_thread_is_woken_by_each_delivery_and_by_its_end() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let producer: BaseProducer<DefaultProducerContext> =
            ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
        let served = Served::looking(producer, DAY).unwrap();
        for _ in 0..3 {
            served.send(BaseRecord::<(), str>::to("t").payload("v")).map_err(|(error, _)| error).unwrap();
            let began = Instant::now();
            while served.in_flight_count() > 0 {
                assert!(began.elapsed() < LONG, "the delivery was not served");
                thread::sleep(Duration::from_millis(1));
            }
        }
        let (ended, end) = mpsc::channel();
        thread::spawn(move || {
            drop(served);
            ended.send(()).unwrap();
        });
        end.recv_timeout(LONG).expect("the thread ends when it is told");
    }
}
