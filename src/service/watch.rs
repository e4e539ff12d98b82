//! What goes on beside a run: what guards are told, what they tell, and what was deleted before it came back.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;

use crate::broker::{Broker, BrokerError};
use crate::control::{AuditRecord, ControlError, Operator, host_name};
use crate::delivery::{Pending, SinkState};
use crate::guard::Clock;
use crate::store::{Rows, ServerLoad};

/// How often guards are told of the lag, and asked for their flips.
const INTERVAL: Duration = Duration::from_secs(1);

/// Flips that wait for the audit at most.
const UNTOLD: usize = 64;

/// Whose guards are watched.
pub struct GuardWatch {
    /// The log.
    pub broker: Arc<dyn Broker>,
    /// Name of the topology, for its audit.
    pub topology: String,
    /// The topic of fresh records.
    pub topic: String,
    /// The group that reads them.
    pub group: String,
    /// The guards.
    pub guards: Vec<Arc<SinkState>>,
}

/// Tells guards every second how many records the topology has yet to process, over all its workers, so that the
/// automatic switches of all of them see the same; and writes each of their flips into the audit, with its reason. Ends
/// with the process.
pub fn watch_guards(watch: GuardWatch) -> JoinHandle<()> {
    tokio::spawn(async move {
        let clock = Clock::new();
        let operator = Operator::new(watch.broker.clone(), &watch.topology, clock);
        let mut untold = Vec::new();
        loop {
            tokio::time::sleep(INTERVAL).await;
            let lag = watch.lag().await.ok();
            for guard in &watch.guards {
                guard.set_lag(lag);
                untold.extend(guard.take_flips().into_iter().map(|flip| AuditRecord {
                    when_ms: clock.unix_ms(),
                    who: format!("process {} on {}", std::process::id(), host_name()),
                    action: "flip".to_owned(),
                    target: format!("switch/{}", guard.name()),
                    reason: flip.reason,
                    details: json!({ "value": "auto", "out_of_the_path": flip.on }),
                }));
            }
            // What cannot be written now is written later, in order; few flips are kept for long, so few wait.
            while let Some(record) = untold.first() {
                if let Err(error) = operator.record(record).await {
                    tracing::debug!(error = %error, "the flip of a switch is not in the audit yet");
                    break;
                }
                untold.remove(0);
            }
            let surplus = untold.len().saturating_sub(UNTOLD);
            untold.drain(..surplus);
        }
    })
}

impl GuardWatch {
    async fn lag(&self) -> Result<u64, BrokerError> {
        let committed = self.broker.committed(&self.group, &self.topic).await?;
        let bounds = self.broker.bounds(&self.topic).await?;
        let lag = bounds.into_iter().map(|bounds| {
            let next = committed.get(bounds.partition as usize).copied().flatten();
            bounds.latest.saturating_sub(next.unwrap_or(bounds.earliest).max(bounds.earliest))
        });
        Ok(lag.sum())
    }
}

/// Goes on behind records of retry topics that the log has deleted before they came back: a run could not begin with
/// them. What was skipped is in the audit before the offset moves.
///
/// # Errors
/// What the log says, other than that members of the group are at work, who have gone on already.
pub async fn skip_deleted(
    broker: &Arc<dyn Broker>,
    topology: &str,
    pending: &Pending,
) -> Result<(), ControlError> {
    let clock = Clock::new();
    let operator = Operator::new(broker.clone(), topology, clock);
    for gap in pending.gaps().await? {
        let (topic, partition, from, to) = (&gap.topic, gap.partition, gap.from, gap.to);
        tracing::error!(topic, partition, from, to, "records were deleted before they came back");
        let record = AuditRecord {
            when_ms: clock.unix_ms(),
            who: format!("process {} on {}", std::process::id(), host_name()),
            action: "skip".to_owned(),
            target: format!("{topic}[{partition}]"),
            reason: "deleted before they came back: delivery.retention_hours is shorter than they waited"
                .to_owned(),
            details: json!({ "from": from, "to": to }),
        };
        operator.record(&record).await?;
        match broker.reset(topic, topic, &[(partition, to)]).await {
            Err(BrokerError::GroupActive { .. }) => {}
            result => result?,
        }
    }
    Ok(())
}

/// Asks the server of `rows` every `every` how busy it is, and tells the gauge of its sink, until the process ends. A
/// server that cannot be asked says nothing: whether it is there at all is for the breaker to find out.
pub fn watch_load(rows: Arc<dyn Rows>, sink: Arc<SinkState>, every: Duration) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let load = rows.load().await.unwrap_or_else(|error| {
                tracing::debug!(sink = sink.name(), error = %error, "the load of the store is not known");
                ServerLoad::default()
            });
            sink.set_server_load(load.threads_running, load.replication_lag);
            tokio::time::sleep(every).await;
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;
    use crate::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
    use crate::broker::{Append, GroupSettings, LogRecord, TopicSpec};
    use crate::delivery::{Codec, Delivery, DeliverySettings, Guard, Parcel, Retry, SinkSettings};
    use crate::guard::{Mode, Switch};
    use crate::topology::{Error, Headers, Origin, Rejected, Result, Sink};

    /// Fails until it is told otherwise.
    #[derive(Clone)]
    struct Store(Arc<std::sync::atomic::AtomicBool>);

    impl Sink for Store {
        type In = Arc<Parcel<u64>>;

        async fn write(&mut self, _: &[&Self::In]) -> Result<Rejected> {
            match self.0.load(std::sync::atomic::Ordering::Relaxed) {
                true => Ok(Rejected::none()),
                false => Err(Error::retryable("away")),
            }
        }
    }

    async fn stage(mode: Mode) -> (tempfile::TempDir, Arc<EmbeddedBroker>, Delivery, Guard<u64>) {
        let dir = tempfile::tempdir().unwrap();
        let broker = Arc::new(EmbeddedBroker::open(dir.path(), EmbeddedSettings::for_tests()).unwrap());
        for topic in ["source", "dead"] {
            broker.create_topic(&TopicSpec::new(topic, 2)).await.unwrap();
        }
        crate::control::ensure(&*broker, "words", 1).await.unwrap();
        let settings = DeliverySettings { partitions: 1, ..DeliverySettings::new("dead") };
        let delivery = Delivery::new("words", broker.clone(), Clock::new(), settings).unwrap();
        delivery.ensure("rows", 1).await.unwrap();
        let codec = Codec::new(|record: &LogRecord| Ok(record.origin.offset));
        let guard = delivery.guard("rows", Switch::new(mode), codec, SinkSettings::default());
        (dir, broker, delivery, guard)
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_automatic_switch_does_is_in_the_audit_with_its_reason() {
        let (_dir, embedded, _delivery, guard) = stage(Mode::Auto).await;
        let broker: Arc<dyn Broker> = embedded;
        let works = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let mut stack = guard.over(Store(works.clone()));
        let watching = watch_guards(GuardWatch {
            broker: broker.clone(),
            topology: "words".to_owned(),
            topic: "source".to_owned(),
            group: "g".to_owned(),
            guards: vec![guard.state().clone()],
        });
        let origin = Origin { topic: "source".into(), partition: 0, offset: 7, attempt: 0 };
        let record = LogRecord { origin, key: None, headers: Headers::default(), timestamp_ms: 0, value: None };
        let row = Arc::new(Parcel::fresh(record, 7));
        let operator = Operator::new(broker, "words", Clock::new());
        for (up, flips) in [(false, 1), (true, 2)] {
            works.store(up, std::sync::atomic::Ordering::Relaxed);
            while operator.audit(10).await.unwrap().len() < flips {
                assert!(stack.write(&[&row]).await.unwrap().is_empty());
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        watching.abort();
        let audit = operator.audit(10).await.unwrap();
        let mut said: Vec<_> =
            audit.iter().map(|record| (record.when_ms, &record.details["out_of_the_path"])).collect();
        said.sort_by_key(|(when, _)| *when);
        assert_eq!(said.iter().map(|(_, out)| *out).collect::<Vec<_>>(), [&json!(true), &json!(false)]);
        for record in &audit {
            assert_eq!((record.action.as_str(), record.target.as_str()), ("flip", "switch/rows"));
            assert!(!record.reason.is_empty(), "{record:?}");
        }
    }

    /// The log has deleted records of a retry topic past what was brought back: the audit says so before it goes on.
    #[tokio::test(start_paused = true)]
    async fn what_was_deleted_before_it_came_back_is_passed_over_and_said() {
        let (_dir, embedded, delivery, guard) = stage(Mode::Off).await;
        let broker: Arc<dyn Broker> = embedded.clone();
        let parked = guard.topics().parked[0].clone();
        let records = |n: usize| (0..n).map(|_| Append { value: Some("x".into()), ..Append::default() }).collect();
        broker.producer().unwrap().append(&parked, records(5)).await.unwrap();
        broker.reset(&parked, &parked, &[(0, 2)]).await.unwrap();
        embedded.delete_before(&parked, 0, 4).await.unwrap();

        let stack = guard.over(Store(Arc::default()));
        let (_retry, pending) = Retry::new(&delivery, GroupSettings::new("g")).sink(&guard, stack).topology();
        let gaps = pending.gaps().await.unwrap();
        assert_eq!((gaps.len(), gaps[0].from, gaps[0].to), (1, 2, 4));
        skip_deleted(&broker, "words", &pending).await.unwrap();
        assert_eq!(broker.committed(&parked, &parked).await.unwrap(), [Some(4)]);
        assert!(pending.gaps().await.unwrap().is_empty());
        let audit = Operator::new(broker, "words", Clock::new()).audit(10).await.unwrap();
        assert_eq!(audit.len(), 1);
        assert_eq!((audit[0].action.as_str(), &audit[0].details), ("skip", &json!({ "from": 2, "to": 4 })));
        assert_eq!(audit[0].target, format!("{parked}[0]"));
    }
}
