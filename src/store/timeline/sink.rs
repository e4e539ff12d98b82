//! The sink that writes tuples into timelines.

use std::sync::Arc;

use super::{Entry, Timelines};
use crate::topology::{Data, Rejected, Result, Sink};

/// Writes each tuple as the [`Entry`] that `entry` makes of it, a batch in one round trip.
pub struct TimelineSink<T, F> {
    store: Arc<dyn Timelines>,
    entry: F,
    tuple: std::marker::PhantomData<fn(&T)>,
}

impl<T: Data, F> TimelineSink<T, F>
where
    F: Fn(&T) -> Entry<'_> + Clone + Send + 'static,
{
    /// A sink over `store`. `entry` borrows from the tuple; it is called once for each.
    pub fn new(store: Arc<dyn Timelines>, entry: F) -> Self {
        Self { store, entry, tuple: std::marker::PhantomData }
    }
}

impl<T, F: Clone> Clone for TimelineSink<T, F> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), entry: self.entry.clone(), tuple: std::marker::PhantomData }
    }
}

impl<T: Data, F> Sink for TimelineSink<T, F>
where
    F: Fn(&T) -> Entry<'_> + Clone + Send + 'static,
{
    type In = T;

    async fn write(&mut self, rows: &[&T]) -> Result<Rejected> {
        let entries: Vec<Entry<'_>> = rows.iter().map(|row| (self.entry)(row)).collect();
        let refused = self.store.apply(&entries).await?;
        Ok(refused.into_iter().map(|(at, error)| (at, error.into())).collect())
    }
}
