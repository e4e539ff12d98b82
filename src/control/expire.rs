//! The task that ends changes when their time is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::shared::Shared;

/// How often the clock is looked at while some change has an expiry: it may be set, and a suspended machine's other
/// timers stand still.
const LOOK: Duration = Duration::from_secs(1);

/// Turns handles at each expiry, and back when the clock is set back before it. Needs nothing but the clock.
pub(super) async fn expire(shared: Arc<Shared>) {
    loop {
        match shared.until_expiry() {
            None => shared.expiry_moved.notified().await,
            Some(wait) => tokio::select! {
                () = sleep(wait.min(LOOK)) => {}
                () = shared.expiry_moved.notified() => {}
            },
        }
        shared.turn();
    }
}
