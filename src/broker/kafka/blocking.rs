//! Calls of librdkafka that block, away from the runtime's own threads.

use crate::broker::BrokerError;

/// Runs `call` where blocking is allowed. It goes on when the future is dropped; every call has a time-out.
pub(super) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, BrokerError> + Send + 'static,
) -> Result<T, BrokerError> {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(BrokerError::Closed { what: "the runtime" }),
        },
    }
}
