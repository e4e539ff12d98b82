//! Entries that can never be stored.

use super::Subject;
use super::write::write;
use crate::store::StoreError;
use crate::store::timeline::{Entry, Limits};

/// Bad entries are named by their index, the others of the batch are stored.
///
/// # Panics
/// When an index is missing, too many, or of another class.
pub async fn check_bad_entries(subject: &mut dyn Subject) {
    let store = subject.fresh(Limits::default()).await;
    let long = "长".repeat(22);
    let good = write("u", "l", "v", "a", 1);
    let good = good.entry();
    let last = write("u2", "l", "v", &long[..63], 1 << 53);
    let batch = [
        Entry { owner: "", ..good },
        good,
        Entry { owner: &long, ..good },
        Entry { line: &long[..33], ..good },
        Entry { action: "", ..good },
        Entry { id: &long, ..good },
        Entry { at_ms: -1, ..good },
        Entry { at_ms: (1 << 53) + 1, ..good },
        last.entry(),
    ];
    let refused = store.apply(&batch).await.expect("the batch is written");
    assert!(refused.iter().all(|(_, error)| matches!(error, StoreError::BadRow { .. })), "{refused:?}");
    let indices: Vec<usize> = refused.into_iter().map(|(at, _)| at).collect();
    assert_eq!(indices, [0, 2, 3, 4, 5, 6, 7]);
    for (owner, id) in [("u", "a"), ("u2", &long[..63])] {
        let read = store.timeline(owner, None, 10).await.expect("a timeline is read");
        assert_eq!(read.iter().map(|entry| &*entry.id).collect::<Vec<_>>(), [id]);
    }
    assert_eq!(store.owners().await.expect("owners are counted"), 2);
    let refused = store.apply(&batch[2..4]).await.expect("a batch of bad entries is answered");
    assert_eq!(refused.len(), 2);
}
