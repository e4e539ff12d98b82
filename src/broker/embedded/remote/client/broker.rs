//! The log of another process.

use std::path::Path;
use std::sync::Arc;

use super::super::socket;
use super::super::wire::{Reply, Request};
use super::RemoteSettings;
use super::consumer::RemoteConsumer;
use super::cursor::RemoteCursor;
use super::line::{Line, strange};
use super::lines::Lines;
use super::producer::RemoteProducer;
use crate::broker::{
    Bounds, Broker, BrokerError, Consumer, Cursor, GroupSettings, Producer, TopicInfo, TopicSpec,
};
use crate::topology::BoxFuture;

/// The embedded log that another process of this host has open and [shares](crate::broker::embedded::EmbeddedSettings::share).
///
/// Does what the log itself does, group members included. Cursors and consumers connect when they are first used, so
/// a topic that does not exist is an error of the first fetch or poll. Needs a runtime with input, output and time;
/// not for paused time, since the server's clock runs on.
///
/// ```
/// use squall::broker::embedded::{EmbeddedBroker, EmbeddedSettings, RemoteBroker, RemoteSettings};
/// use squall::broker::{Broker, TopicSpec};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), squall::broker::BrokerError> {
/// # let dir = tempfile::tempdir().expect("a directory");
/// let settings = EmbeddedSettings { share: true, ..EmbeddedSettings::default() };
/// let log = EmbeddedBroker::open(dir.path(), settings)?;
/// log.create_topic(&TopicSpec::new("words", 4)).await?;
///
/// // Usually in another process.
/// let remote = RemoteBroker::connect(dir.path(), RemoteSettings::default()).await?.expect("somebody serves");
/// assert_eq!(remote.topics().await?[0].name, "words");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RemoteBroker {
    lines: Arc<Lines>,
    producer: Arc<RemoteProducer>,
}

impl RemoteBroker {
    /// Connects to the process that shares the log in `dir`; `None` when none does.
    ///
    /// # Errors
    /// [`BrokerError::Remote`] when it refuses or does not answer; [`BrokerError::Invalid`] when it speaks another
    /// version of the protocol.
    pub async fn connect(dir: &Path, settings: RemoteSettings) -> Result<Option<Self>, BrokerError> {
        let socket: Arc<Path> = socket::path(dir).into();
        let (limit, find) = (settings.request_timeout, Line::find(&socket));
        let found = tokio::time::timeout(limit, find).await.unwrap_or_else(|_| {
            let reason = format!("no greeting within {} ms", limit.as_millis());
            Err(BrokerError::Remote { socket: socket.to_path_buf(), reason })
        });
        Ok(found?.map(|line| {
            let lines = Arc::new(Lines::new(socket.clone(), settings, line));
            Self { producer: Arc::new(RemoteProducer { lines: lines.clone() }), lines }
        }))
    }

    async fn done(&self, what: &str, request: Request) -> Result<(), BrokerError> {
        match self.lines.delivery(what, &request).await? {
            Reply::Done => Ok(()),
            other => Err(strange(&self.lines.socket, &other)),
        }
    }

    async fn all_topics(&self) -> Result<Vec<TopicInfo>, BrokerError> {
        let mut topics: Vec<TopicInfo> = Vec::new();
        loop {
            let after = topics.last().map_or(String::new(), |topic| topic.name.clone());
            match self.lines.question("topics", &Request::Topics(after)).await? {
                Reply::Topics(page) if page.is_empty() => return Ok(topics),
                Reply::Topics(page) => topics.extend(page),
                other => return Err(strange(&self.lines.socket, &other)),
            }
        }
    }
}

/// The reply of one kind to a question.
macro_rules! question {
    ($self:ident, $what:literal, $request:expr, $kind:ident) => {
        Box::pin(async move {
            match $self.lines.question($what, &$request).await? {
                Reply::$kind(reply) => Ok(reply),
                other => Err(strange(&$self.lines.socket, &other)),
            }
        })
    };
}

impl Broker for RemoteBroker {
    fn create_topic<'a>(&'a self, spec: &'a TopicSpec) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(self.done("create topic", Request::CreateTopic(spec.clone())))
    }

    fn delete_topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(self.done("delete topic", Request::DeleteTopic(name.to_owned())))
    }

    fn topic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TopicInfo>, BrokerError>> {
        question!(self, "topic", Request::Topic(name.to_owned()), Topic)
    }

    fn topics(&self) -> BoxFuture<'_, Result<Vec<TopicInfo>, BrokerError>> {
        Box::pin(self.all_topics())
    }

    fn bounds<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<Bounds>, BrokerError>> {
        question!(self, "bounds", Request::Bounds(topic.to_owned()), Bounds)
    }

    fn offsets_at<'a>(
        &'a self,
        topic: &'a str,
        timestamp_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<u64>, BrokerError>> {
        question!(self, "offsets by time", Request::OffsetsAt(topic.to_owned(), timestamp_ms), Offsets)
    }

    fn committed<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, BrokerError>> {
        question!(self, "committed offsets", Request::Committed(group.to_owned(), topic.to_owned()), Committed)
    }

    fn reset<'a>(
        &'a self,
        group: &'a str,
        topic: &'a str,
        offsets: &'a [(u32, u64)],
    ) -> BoxFuture<'a, Result<(), BrokerError>> {
        let request = Request::Reset(group.to_owned(), topic.to_owned(), offsets.to_vec());
        Box::pin(self.done("reset of offsets", request))
    }

    fn producer(&self) -> Result<Arc<dyn Producer>, BrokerError> {
        Ok(self.producer.clone())
    }

    fn cursor(&self, topic: &str, starts: &[(u32, u64)]) -> Result<Box<dyn Cursor>, BrokerError> {
        Ok(Box::new(RemoteCursor::new(self.lines.clone(), topic, starts)))
    }

    fn subscribe(&self, topic: &str, settings: &GroupSettings) -> Result<Box<dyn Consumer>, BrokerError> {
        Ok(Box::new(RemoteConsumer::new(self.lines.clone(), topic, settings)))
    }
}
