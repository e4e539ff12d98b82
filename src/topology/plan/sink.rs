//! A sink inside a task.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use super::catch::{catch, fused};
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

/// Rows of a flush, by index.
enum Write {
    /// Neighbours: what a flush is cut into.
    Run(Range<usize>),
    /// Some: what is left to try again.
    Some(Vec<usize>),
}

impl Write {
    fn len(&self) -> usize {
        match self {
            Write::Run(run) => run.len(),
            Write::Some(rows) => rows.len(),
        }
    }

    fn row(&self, at: usize) -> Option<usize> {
        match self {
            Write::Run(run) => run.clone().nth(at),
            Write::Some(rows) => rows.get(at).copied(),
        }
    }

    fn rows(&self) -> Vec<usize> {
        (0..self.len()).filter_map(|at| self.row(at)).collect()
    }

    fn halves(self) -> [Write; 2] {
        match self {
            Write::Run(Range { start, end }) => {
                let middle = start + (end - start) / 2;
                [Write::Run(start..middle), Write::Run(middle..end)]
            }
            Write::Some(mut rows) => {
                let second = rows.split_off(rows.len() / 2);
                [Write::Some(rows), Write::Some(second)]
            }
        }
    }
}

/// What a flush has to settle: the rows, the batches they came in, and the worst failure of each batch.
struct Flush<'a, T> {
    rows: Vec<&'a T>,
    held: &'a [Batch<T>],
    /// The worst class that each batch met, and the first reason of that class.
    failed: Vec<Option<(Class, String)>>,
}

impl<'a, T> Flush<'a, T> {
    fn of(held: &'a [Batch<T>]) -> Self {
        Self { rows: held.iter().flat_map(|batch| &batch.tuples).collect(), held, failed: vec![None; held.len()] }
    }

    /// The batch that a row came in.
    fn batch_of(&self, row: usize) -> usize {
        let mut before = 0;
        let at = self.held.iter().position(|batch| {
            before += batch.tuples.len();
            row < before
        });
        at.unwrap_or_default()
    }
}

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
        let flow = &mut self.flow;
        let Some((tuples, shares)) = fused(&*self.host, batch.shares, || flow.all(batch.tuples)) else { return };
        if tuples.is_empty() {
            return shares.ack();
        }
        self.rows += tuples.len();
        self.bytes += tuples.iter().map(|tuple| self.sink.size_of(tuple)).sum::<usize>();
        if self.since.is_none() {
            self.since = Some(self.host.now_ns());
        }
        self.held.push(Batch::new(tuples, shares));
        if self.rows >= self.max_rows || self.bytes >= self.max_bytes {
            self.flush().await;
        }
    }

    /// Writes everything held, in writes within the bounds, and settles the batches.
    async fn flush(&mut self) {
        let held = std::mem::take(&mut self.held);
        let bytes = std::mem::take(&mut self.bytes);
        (self.rows, self.since) = (0, None);
        let mut flush = Flush::of(&held);
        // Last in, first out: a write that must be divided puts its halves back in order.
        let mut writes = self.cut(&flush.rows, bytes);
        while let Some(write) = writes.pop() {
            self.write(&mut flush, write, &mut writes).await;
        }
        let failed = flush.failed;
        for (batch, failed) in held.into_iter().zip(failed) {
            match failed {
                None => batch.shares.ack(),
                Some((class, reason)) => batch.shares.fail_because(class, &reason),
            }
        }
    }

    /// Cuts a flush into writes of at most the bounds, the first one last; a single larger row is a write of its own.
    fn cut(&self, rows: &[&S::In], bytes: usize) -> Vec<Write> {
        let mut writes = Vec::new();
        let (mut start, mut size) = (0, 0);
        if rows.len() > self.max_rows || bytes > self.max_bytes {
            for (at, row) in rows.iter().enumerate() {
                let more = self.sink.size_of(row);
                if at > start && (at - start >= self.max_rows || size + more > self.max_bytes) {
                    writes.push(Write::Run(start..at));
                    (start, size) = (at, 0);
                }
                size += more;
            }
        }
        if start < rows.len() {
            writes.push(Write::Run(start..rows.len()));
        }
        writes.reverse();
        writes
    }

    /// Writes rows until each is stored or given up. A write that panics, or that the sink calls poison as a whole,
    /// is put back in halves until the row at fault stands alone.
    async fn write(&mut self, flush: &mut Flush<'_, S::In>, mut write: Write, writes: &mut Vec<Write>) {
        let mut attempts = 0;
        while write.len() > 0 {
            let started = self.host.now_ns();
            let result = match &write {
                Write::Run(run) => self.call(&flush.rows[run.clone()]).await,
                Write::Some(some) => {
                    let rows: Vec<&S::In> = some.iter().map(|&row| flush.rows[row]).collect();
                    self.call(&rows).await
                }
            };
            self.host.executed(write.len(), self.host.now_ns().saturating_sub(started));
            let (again, error) = match result {
                Ok(rejected) if rejected.is_empty() => return,
                Ok(rejected) => self.sort_out(flush, &write, rejected),
                Err((_, error)) if error.class() == Class::Poison && write.len() > 1 => {
                    return writes.extend(write.halves().into_iter().rev());
                }
                Err((_, error)) if error.class() < Class::Poison => (write, Some(error)),
                Err((panicked, error)) => return self.give_up(flush, &write.rows(), panicked, error),
            };
            if let Some(error) = error {
                attempts += 1;
                if !self.host.back_off(attempts, &error).await {
                    return self.give_up(flush, &again.rows(), false, error);
                }
            }
            write = again;
        }
    }

    /// Gives poison rows up and returns those to try again, with the last reason.
    fn sort_out(&self, flush: &mut Flush<'_, S::In>, write: &Write, rejected: Rejected) -> (Write, Option<Error>) {
        let (mut again, mut last) = (Vec::new(), None);
        for (at, error) in rejected {
            let Some(row) = write.row(at) else { continue };
            if error.class() < Class::Poison {
                again.push(row);
                last = Some(error);
            } else {
                self.give_up(flush, &[row], false, error);
            }
        }
        (Write::Some(again), last)
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

    fn give_up(&self, flush: &mut Flush<'_, S::In>, rows: &[usize], panicked: bool, error: Error) {
        let class = error.class();
        for &row in rows {
            let batch = flush.batch_of(row);
            let failed = &mut flush.failed[batch];
            if failed.as_ref().is_none_or(|(known, _)| *known < class) {
                *failed = Some((class, format!("{}: {}", self.host.operator(), error.chain())));
            }
            let origin = origin_of(flush.rows[row])
                .map_or_else(|| flush.held[batch].shares.describe(), |origin| origin.to_string());
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

    /// Without a linger what waits is written when the inbox is empty, which `Idle` says.
    fn next_due(&self) -> Option<u64> {
        self.since.filter(|_| self.linger_ns > 0).map(|since| since + self.linger_ns)
    }
}
