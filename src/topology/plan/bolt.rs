//! A bolt inside a task.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use super::catch::{catch, fused};
use super::{Fault, Host, Incident, Output, Push, Signal};
use crate::topology::record::origin_of;
use crate::topology::{Batch, Bolt, Bounds, BoxFuture, Class, Data, Emitter, Error, Flow, Halt, Shares, TaskInfo};

/// Takes the tuples that a bolt rejects as poison.
pub(in crate::topology) trait RejectRoute<T>: Send {
    /// Keeps a copy of the tuple for the next [`leave`](Self::leave).
    fn reject(&mut self, tuple: &T, error: &Error);
    /// Sends what was kept on its way, under a further share in `shares`.
    fn leave<'a>(&'a mut self, shares: &'a Shares) -> BoxFuture<'a, ()>;
    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, ()>;
    fn next_due(&self) -> Option<u64>;
}

/// A [`RejectRoute`] into the rejected stream of [`Stream::try_bolt`](crate::topology::Stream::try_bolt).
pub(in crate::topology) struct Rejects<T> {
    kept: Vec<crate::topology::RejectedTuple<T>>,
    out: Output<crate::topology::RejectedTuple<T>>,
}

impl<T: Data> Rejects<T> {
    pub(in crate::topology) fn new(out: Output<crate::topology::RejectedTuple<T>>) -> Self {
        Self { kept: Vec::new(), out }
    }
}

impl<T: Data + Clone> RejectRoute<T> for Rejects<T> {
    fn reject(&mut self, tuple: &T, error: &Error) {
        self.kept.push(crate::topology::RejectedTuple { tuple: tuple.clone(), reason: error.chain() });
    }

    fn leave<'a>(&'a mut self, shares: &'a Shares) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if !self.kept.is_empty() {
                self.out.push(Batch::new(std::mem::take(&mut self.kept), shares.split())).await;
            }
        })
    }

    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, ()> {
        Box::pin(self.out.signal(signal))
    }

    fn next_due(&self) -> Option<u64> {
        self.out.next_due()
    }
}

/// How a row that could not be handled is to be treated.
enum Verdict {
    /// Go on with the next row.
    Skip,
    /// Try the row again.
    Again,
    /// Give the batch up.
    GiveUp(Class, String),
}

/// A bolt, the steps fused in front of it, and the edges behind it.
pub(in crate::topology) struct BoltPush<B: Bolt, F> {
    flow: F,
    prototype: B,
    bolt: B,
    emitter: Emitter<B::Out>,
    out: Output<B::Out>,
    rejects: Option<Box<dyn RejectRoute<B::In>>>,
    info: TaskInfo,
    host: Arc<dyn Host>,
    batch: usize,
    /// Rows handled in one call, so that what is staged stays near `batch` whatever the bolt's fan-out.
    slice: usize,
    /// Rows below this index are handled one by one: one of them panicked in company.
    singly_until: usize,
    /// Tries of the row at hand that failed.
    attempts: u32,
    tick_ns: Option<u64>,
    next_tick: u64,
}

impl<B: Bolt, F: Flow<Out = B::In>> BoltPush<B, F> {
    pub(in crate::topology) fn new(
        flow: F,
        prototype: B,
        out: Output<B::Out>,
        rejects: Option<Box<dyn RejectRoute<B::In>>>,
        info: TaskInfo,
        bounds: &Bounds,
        host: Arc<dyn Host>,
    ) -> Self {
        let every: Option<Duration> = prototype.tick_every().map(|own| bounds.tick.unwrap_or(own));
        Self {
            flow,
            bolt: prototype.clone(),
            prototype,
            emitter: Emitter::default(),
            out,
            rejects,
            info,
            batch: bounds.batch,
            slice: bounds.batch,
            singly_until: 0,
            attempts: 0,
            tick_ns: every.map(|every| every.as_nanos().max(1) as u64),
            next_tick: 0,
            host,
        }
    }

    async fn run(&mut self, batch: Batch<F::In>) {
        let flow = &mut self.flow;
        let Some((tuples, shares)) = fused(&*self.host, batch.shares, || flow.all(batch.tuples)) else { return };
        self.emitter.set_input(shares);
        (self.singly_until, self.attempts) = (0, 0);
        let started = self.host.now_ns();
        let mut at = 0;
        while at < tuples.len() {
            let mark = self.emitter.mark();
            let rows = if at < self.singly_until { 1 } else { self.slice.min(tuples.len() - at) };
            match self.call(&tuples[at..at + rows]).await {
                Ok(()) => {
                    self.attempts = 0;
                    self.resize_slice(self.emitter.mark() - mark, rows);
                    at += rows;
                }
                Err((panicked, halt)) => {
                    if panicked || halt.at == 0 {
                        self.emitter.rewind(mark);
                    } else {
                        self.attempts = 0;
                    }
                    if panicked && rows > 1 {
                        self.singly_until = at + rows;
                        continue;
                    }
                    at += halt.at;
                    match self.judge(&tuples[at], panicked, halt.error).await {
                        Verdict::Again => {}
                        Verdict::Skip => (at, self.attempts) = (at + 1, 0),
                        Verdict::GiveUp(class, reason) => {
                            self.host.executed(at, self.host.now_ns().saturating_sub(started));
                            self.publish().await;
                            return self.emitter.take_input().fail_because(class, &reason);
                        }
                    }
                }
            }
            if at < tuples.len() && self.emitter.mark() >= self.batch {
                self.publish().await;
            }
        }
        self.host.executed(tuples.len(), self.host.now_ns().saturating_sub(started));
        self.publish().await;
        self.emitter.take_input().ack();
    }

    /// One call of the bolt; the flag says whether it panicked. After a panic the bolt is a fresh clone.
    async fn call(&mut self, rows: &[B::In]) -> Result<(), (bool, Halt)> {
        let mut rows = rows;
        let mut fault = None;
        if self.host.has_faults() {
            fault = rows
                .iter()
                .enumerate()
                .find_map(|(at, row)| self.host.fault(row as &dyn Any).map(|fault| (at, fault)));
            if let Some((at, _)) = fault {
                rows = &rows[..at];
            }
        }
        let (bolt, emitter) = (&mut self.bolt, &mut self.emitter);
        let result = catch(async {
            bolt.execute_batch(rows, emitter).await?;
            match fault {
                None => Ok(()),
                Some((at, Fault::Fail(class))) => Err(Halt { at, error: Error::new(class, "scripted failure") }),
                Some((_, Fault::Panic)) => panic!("scripted panic"),
            }
        })
        .await;
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(halt)) => Err((false, halt)),
            Err(message) => {
                self.bolt = self.prototype.clone();
                self.prepare().await;
                Err((true, Halt { at: 0, error: Error::poison(format!("panic: {message}")) }))
            }
        }
    }

    async fn judge(&mut self, tuple: &B::In, panicked: bool, error: Error) -> Verdict {
        let class = error.class();
        if matches!(class, Class::Retryable | Class::Refused) {
            self.attempts += 1;
            if self.host.back_off(self.attempts, &error).await {
                return Verdict::Again;
            }
        }
        let origin = origin_of(tuple).map_or_else(|| self.emitter.input().describe(), |origin| origin.to_string());
        let reason = format!("{}: {}", self.host.operator(), error.chain());
        self.host.failed(Incident { class, panicked, origin, reason: error.chain() });
        match (class, &mut self.rejects) {
            (Class::Poison, Some(route)) => {
                route.reject(tuple, &error);
                Verdict::Skip
            }
            (Class::Fatal, _) => {
                self.host.fatal(error);
                Verdict::GiveUp(class, reason)
            }
            _ => Verdict::GiveUp(class, reason),
        }
    }

    /// Lets what is staged leave, anchored to the input at hand.
    async fn publish(&mut self) {
        if let Some(route) = &mut self.rejects {
            route.leave(self.emitter.input()).await;
        }
        if self.emitter.staged().is_empty() {
            return;
        }
        let (tuples, shares) = self.emitter.take_staged(self.batch + self.batch / 4);
        self.host.emitted(tuples.len());
        self.out.push(Batch::new(tuples, shares)).await;
    }

    fn resize_slice(&mut self, staged: usize, rows: usize) {
        let fan_out = staged.div_ceil(rows).max(1);
        self.slice = (self.batch / fan_out).clamp(1, self.batch);
    }

    async fn prepare(&mut self) {
        match catch(self.bolt.prepare(&self.info)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.host.fatal(Error::fatal(format!("prepare: {}", error.chain()))),
            Err(message) => self.host.fatal(Error::fatal(format!("panic in prepare: {message}"))),
        }
    }

    async fn tick(&mut self, every: u64) {
        let now = self.host.now_ns();
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + every;
        let (bolt, emitter) = (&mut self.bolt, &mut self.emitter);
        let result = catch(bolt.tick(emitter)).await;
        self.after_own_call("tick", result).await;
    }

    async fn close(&mut self) {
        let (bolt, emitter) = (&mut self.bolt, &mut self.emitter);
        let result = catch(bolt.close(emitter)).await;
        self.after_own_call("close", result).await;
    }

    /// Publishes what a tick or close emitted, or takes it back and stops the run: there is no tuple to blame.
    async fn after_own_call(&mut self, call: &str, result: Result<crate::topology::Result<()>, String>) {
        let error = match result {
            Ok(Ok(())) => return self.publish().await,
            Ok(Err(error)) => error.chain(),
            Err(message) => format!("panic: {message}"),
        };
        self.emitter.rewind(0);
        self.host.fatal(Error::fatal(format!("{call}: {error}")));
    }
}

impl<B: Bolt, F: Flow<Out = B::In>> Push<F::In> for BoltPush<B, F> {
    fn push(&mut self, batch: Batch<F::In>) -> BoxFuture<'_, ()> {
        Box::pin(self.run(batch))
    }

    fn signal(&mut self, signal: Signal) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match signal {
                Signal::Prepare => {
                    self.prepare().await;
                    self.next_tick = self.host.now_ns() + self.tick_ns.unwrap_or(0);
                }
                Signal::Timer => {
                    if let Some(every) = self.tick_ns {
                        self.tick(every).await;
                    }
                }
                Signal::Close => self.close().await,
                Signal::Idle => {}
            }
            self.out.signal(signal).await;
            if let Some(route) = &mut self.rejects {
                route.signal(signal).await;
            }
        })
    }

    fn next_due(&self) -> Option<u64> {
        let tick = self.tick_ns.map(|_| self.next_tick);
        let route = self.rejects.as_ref().and_then(|route| route.next_due());
        [tick, self.out.next_due(), route].into_iter().flatten().min()
    }
}
