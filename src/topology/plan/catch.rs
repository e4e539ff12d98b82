//! Panics, caught per call and turned into a message.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use super::{Host, Incident};
use crate::topology::{Class, Shares};

/// Runs a future; a panic becomes its message. The caller must treat what the future borrowed mutably as broken.
pub(super) async fn catch<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    std::future::poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(message(&*payload))),
    })
    .await
}

/// Runs fused closures; when one panics, its batch is poison: `shares` fail, and what was being made is lost. The closure
/// goes on with whatever state it was left in, so one that keeps state had better not panic.
pub(super) fn fused<R>(host: &dyn Host, shares: Shares, run: impl FnOnce() -> R) -> Option<(R, Shares)> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(made) => Some((made, shares)),
        Err(payload) => {
            let reason = format!("panic in a closure on the edge: {}", message(&*payload));
            let origin = shares.describe();
            let said = format!("{}: {reason}", host.operator());
            host.failed(Incident { class: Class::Poison, panicked: true, origin, reason });
            shares.fail_because(Class::Poison, &said);
            None
        }
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}
