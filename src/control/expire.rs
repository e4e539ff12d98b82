//! The task that ends changes when their time is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::shared::Shared;

/// Turns handles at each expiry. Needs nothing but the clock.
pub(super) async fn expire(shared: Arc<Shared>) {
    loop {
        match shared.next_expiry() {
            None => shared.expiry_moved.notified().await,
            Some(at_ms) => {
                let wait = Duration::from_millis(at_ms.saturating_sub(shared.now_ms()).max(0).cast_unsigned());
                tokio::select! {
                    () = sleep(wait) => {}
                    () = shared.expiry_moved.notified() => {}
                }
            }
        }
        let changed = shared.turn();
        if !changed.is_empty() {
            shared.acknowledge(&changed);
        }
    }
}
