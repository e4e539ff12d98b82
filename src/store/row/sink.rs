//! The sink that writes tuples as rows.

use std::sync::Arc;

use super::{Cell, Rows};
use crate::topology::{Data, Rejected, Result, Sink};

/// Writes each tuple as the row of cells that `cells` pushes for it.
pub struct RowSink<T, F> {
    store: Arc<dyn Rows>,
    cells: F,
    tuple: std::marker::PhantomData<fn(&T)>,
}

impl<T: Data, F> RowSink<T, F>
where
    F: for<'a> Fn(&'a T, &mut Vec<Cell<'a>>) + Clone + Send + 'static,
{
    /// A sink over `store`. `cells` pushes exactly one row, in the order of the table's columns.
    pub fn new(store: Arc<dyn Rows>, cells: F) -> Self {
        Self { store, cells, tuple: std::marker::PhantomData }
    }
}

impl<T, F: Clone> Clone for RowSink<T, F> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), cells: self.cells.clone(), tuple: std::marker::PhantomData }
    }
}

impl<T: Data, F> Sink for RowSink<T, F>
where
    F: for<'a> Fn(&'a T, &mut Vec<Cell<'a>>) + Clone + Send + 'static,
{
    type In = T;

    async fn write(&mut self, rows: &[&T]) -> Result<Rejected> {
        let mut cells = Vec::with_capacity(rows.len() * self.store.table().width());
        for row in rows {
            (self.cells)(row, &mut cells);
        }
        let refused = self.store.upsert(&cells).await?;
        Ok(refused.into_iter().map(|(at, error)| (at, error.into())).collect())
    }
}
