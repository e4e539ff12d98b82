//! A sink that keeps what it gets.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::topology::{Data, Rejected, Result, Sink};

/// Keeps every tuple written to it; clones share what is kept.
pub struct Capture<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Capture<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Capture<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone> Capture<T> {
    /// Everything so far, in the order of writing.
    pub fn tuples(&self) -> Vec<T> {
        self.lock().clone()
    }

    /// Everything so far, sorted.
    pub fn sorted(&self) -> Vec<T>
    where
        T: Ord,
    {
        let mut tuples = self.tuples();
        tuples.sort();
        tuples
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Data + Clone> Sink for Capture<T> {
    type In = T;

    async fn write(&mut self, rows: &[&T]) -> Result<Rejected> {
        self.lock().extend(rows.iter().map(|row| (*row).clone()));
        Ok(Rejected::none())
    }
}
