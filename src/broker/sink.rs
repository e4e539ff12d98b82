//! The sink over a producer.

use std::sync::Arc;

use super::{Append, Producer};
use crate::topology::{Data, Rejected, Result, Sink};

/// Appends to a topic what `append` makes of each tuple; a write is durable when it returns.
///
/// Not idempotent: a write that is repeated after an unknown outcome appends again.
pub struct TopicSink<T, F> {
    producer: Arc<dyn Producer>,
    topic: Arc<str>,
    append: F,
    tuple: std::marker::PhantomData<fn(&T)>,
}

impl<T: Data, F> TopicSink<T, F>
where
    F: Fn(&T) -> Append + Clone + Send + 'static,
{
    /// A sink into `topic`.
    pub fn new(producer: Arc<dyn Producer>, topic: &str, append: F) -> Self {
        Self { producer, topic: topic.into(), append, tuple: std::marker::PhantomData }
    }
}

impl<T, F: Clone> Clone for TopicSink<T, F> {
    fn clone(&self) -> Self {
        Self {
            producer: self.producer.clone(),
            topic: self.topic.clone(),
            append: self.append.clone(),
            tuple: std::marker::PhantomData,
        }
    }
}

impl<T: Data, F> Sink for TopicSink<T, F>
where
    F: Fn(&T) -> Append + Clone + Send + 'static,
{
    type In = T;

    async fn write(&mut self, rows: &[&T]) -> Result<Rejected> {
        let records = rows.iter().map(|row| (self.append)(row)).collect();
        self.producer.append(&self.topic, records).await?;
        Ok(Rejected::none())
    }
}
