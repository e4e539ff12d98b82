//! A sink inside a task.

use std::any::Any;
use std::sync::Arc;

use super::catch::catch;
use super::{Fault, Host, Incident, Push, Signal};
use crate::topology::record::origin_of;
use crate::topology::{Batch, Bounds, BoxFuture, Class, Error, Flow, Rejected, Sink, TaskInfo};

/// A sink and the batches that wait to be written together.
pub(in crate::topology) struct SinkPush<S: Sink, F> {
    flow: F,
    prototype: S,
    sink: S,
    info: TaskInfo,
    host: Arc<dyn Host>,
    held: Vec<Batch<S::In>>,
    rows: usize,
    bytes: usize,
    since: Option<u64>,
    max_rows: usize,
    max_bytes: usize,
    linger_ns: u64,
}

/// A row of the write at hand: which held batch, which tuple of it.
type At = (usize, usize);

impl<S: Sink, F: Flow<Out = S::In>> SinkPush<S, F> {
    pub(in crate::topology) fn new(
        flow: F,
        prototype: S,
        info: TaskInfo,
        bounds: &Bounds,
        host: Arc<dyn Host>,
    ) -> Self {
        Self {
            flow,
            sink: prototype.clone(),
            prototype,
            info,
            held: Vec::new(),
            rows: 0,
            bytes: 0,
            since: None,
            max_rows: bounds.rows,
            max_bytes: bounds.bytes,
            linger_ns: bounds.linger.as_nanos() as u64,
            host,
        }
    }

    async fn take(&mut self, batch: Batch<F::In>) {
        let tuples = self.flow.all(batch.tuples);
        if tuples.is_empty() {
            return batch.shares.ack();
        }
        self.rows += tuples.len();
        self.bytes += tuples.iter().map(|tuple| self.sink.size_of(tuple)).sum::<usize>();
        if self.since.is_none() {
            self.since = Some(self.host.now_ns());
        }
        self.held.push(Batch::new(tuples, batch.shares));
        if self.rows >= self.max_rows || self.bytes >= self.max_bytes {
            self.flush().await;
        }
    }

    /// Writes everything held, in writes within the bounds, and settles the batches.
    async fn flush(&mut self) {
        let held = std::mem::take(&mut self.held);
        (self.rows, self.bytes, self.since) = (0, 0, None);
        let mut failed: Vec<Option<Class>> = vec![None; held.len()];
        // Last in, first out: a write that must be divided puts its halves back in order.
        let mut writes = self.cut(&held);
        writes.reverse();
        while let Some(write) = writes.pop() {
            self.write(&held, write, &mut writes, &mut failed).await;
        }
        for (batch, failed) in held.into_iter().zip(failed) {
            match failed {
                None => batch.shares.ack(),
                Some(class) => batch.shares.fail(class),
            }
        }
    }

    /// Cuts what is held into writes of at most the bounds; a single larger row is a write of its own.
    fn cut(&self, held: &[Batch<S::In>]) -> Vec<Vec<At>> {
        let mut writes = Vec::new();
        let (mut write, mut bytes) = (Vec::new(), 0);
        for (b, batch) in held.iter().enumerate() {
            for (t, tuple) in batch.tuples.iter().enumerate() {
                let size = self.sink.size_of(tuple);
                if !write.is_empty() && (write.len() >= self.max_rows || bytes + size > self.max_bytes) {
                    writes.push(std::mem::take(&mut write));
                    bytes = 0;
                }
                write.push((b, t));
                bytes += size;
            }
        }
        if !write.is_empty() {
            writes.push(write);
        }
        writes
    }

    /// Writes rows until each is stored or given up. A write that panics, or that the sink calls poison as a whole,
    /// is put back in halves until the row at fault stands alone.
    async fn write(
        &mut self,
        held: &[Batch<S::In>],
        mut write: Vec<At>,
        writes: &mut Vec<Vec<At>>,
        failed: &mut [Option<Class>],
    ) {
        let mut attempts = 0;
        while !write.is_empty() {
            let rows: Vec<&S::In> = write.iter().map(|&(b, t)| &held[b].tuples[t]).collect();
            let started = self.host.now_ns();
            let result = self.call(&rows).await;
            self.host.executed(rows.len(), self.host.now_ns().saturating_sub(started));
            let (mut again, mut last) = (Vec::new(), None);
            match result {
                Ok(rejected) => {
                    for (at, error) in rejected {
                        let Some(&row) = write.get(at) else { continue };
                        if error.class() < Class::Poison {
                            again.push(row);
                            last = Some(error);
                        } else {
                            self.give_up(held, &[row], false, error, failed);
                        }
                    }
                }
                Err((_, error)) if error.class() == Class::Poison && write.len() > 1 => {
                    let half = write.split_off(write.len() / 2);
                    writes.push(half);
                    writes.push(write);
                    return;
                }
                Err((_, error)) if error.class() < Class::Poison => (again, last) = (write, Some(error)),
                Err((panicked, error)) => return self.give_up(held, &write, panicked, error, failed),
            }
            if let Some(error) = last {
                attempts += 1;
                if !self.host.back_off(attempts, &error).await {
                    return self.give_up(held, &again, false, error, failed);
                }
            }
            write = again;
        }
    }

    /// One call of the sink; the flag says whether it panicked. After a panic the sink is a fresh clone.
    async fn call(&mut self, rows: &[&S::In]) -> Result<Rejected, (bool, Error)> {
        let fault = self
            .host
            .has_faults()
            .then(|| rows.iter().find_map(|row| self.host.fault(*row as &dyn Any)))
            .flatten();
        let sink = &mut self.sink;
        let result = catch(async {
            match fault {
                None => sink.write(rows).await,
                Some(Fault::Fail(class)) => Err(Error::new(class, "scripted failure")),
                Some(Fault::Panic) => panic!("scripted panic"),
            }
        })
        .await;
        match result {
            Ok(result) => result.map_err(|error| (false, error)),
            Err(message) => {
                self.sink = self.prototype.clone();
                self.prepare().await;
                Err((true, Error::poison(format!("panic: {message}"))))
            }
        }
    }

    fn give_up(
        &self,
        held: &[Batch<S::In>],
        rows: &[At],
        panicked: bool,
        error: Error,
        failed: &mut [Option<Class>],
    ) {
        let class = error.class();
        for &(b, t) in rows {
            failed[b] = failed[b].max(Some(class));
            let tuple = &held[b].tuples[t];
            let origin = origin_of(tuple).map_or_else(|| held[b].shares.describe(), |origin| origin.to_string());
            self.host.failed(Incident { class, panicked, origin, reason: error.chain() });
        }
        if class == Class::Fatal {
            self.host.fatal(error);
        }
    }

    async fn prepare(&mut self) {
        match catch(self.sink.prepare(&self.info)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.host.fatal(Error::fatal(format!("prepare: {}", error.chain()))),
            Err(message) => self.host.fatal(Error::fatal(format!("panic in prepare: {message}"))),
        }
    }

    async fn close(&mut self) {
        self.flush().await;
        match catch(self.sink.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.host.fatal(Error::fatal(format!("close: {}", error.chain()))),
            Err(message) => self.host.fatal(Error::fatal(format!("panic in close: {message}"))),
        }
    }
}

impl<S: Sink, F: Flow<Out = S::In>> Push<F::In> for SinkPush<S, F> {
    fn push(&mut self, batch: Batch<F::In>) -> BoxFuture<'_, ()> {
        Box::pin(self.take(batch))
    }

    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match signal {
                Signal::Prepare => self.prepare().await,
                Signal::Idle if self.linger_ns == 0 => self.flush().await,
                Signal::Timer if self.next_due().is_some_and(|due| due <= self.host.now_ns()) => {
                    self.flush().await;
                }
                Signal::Close => self.close().await,
                Signal::Idle | Signal::Timer => {}
            }
        })
    }

    fn next_due(&self) -> Option<u64> {
        self.since.map(|since| since + self.linger_ns)
    }
}
