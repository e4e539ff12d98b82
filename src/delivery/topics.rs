//! Names of the topics, and making them.

use std::time::Duration;

use crate::broker::{Broker, BrokerError, TopicSpec};

use super::DeliverySettings;

/// The topics of one sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Retry levels, shortest first: `squall.<topology>.<sink>.retry-<delay>`.
    pub levels: Vec<String>,
    /// Records that a node of the sink has not been offered, by node: `squall.<topology>.<sink>.parked`, and
    /// `….parked-<node>` from the second on.
    pub parked: Vec<String>,
}

impl Topics {
    /// Those of `sink`, whose store has so many `nodes`, with retries after `delays`.
    pub fn of(topology: &str, sink: &str, nodes: usize, delays: &[Duration]) -> Self {
        let prefix = format!("squall.{topology}.{sink}");
        Self {
            levels: delays.iter().map(|delay| format!("{prefix}.retry-{}", label(*delay))).collect(),
            parked: (0..nodes.max(1)).map(|node| format!("{prefix}.{}", Place::Parked(node).label())).collect(),
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.levels.iter().chain(&self.parked).map(String::as_str)
    }

    /// Creates those that are missing.
    ///
    /// # Errors
    /// What the log says; a topic with another number of partitions is taken as it is.
    pub async fn ensure(&self, broker: &dyn Broker, settings: &DeliverySettings) -> Result<(), BrokerError> {
        for name in self.all() {
            if broker.topic(name).await?.is_none() {
                let spec = TopicSpec {
                    replication: settings.replication,
                    ..TopicSpec::new(name, settings.partitions).retention(settings.retention)
                };
                broker.create_topic(&spec).await?;
            }
        }
        Ok(())
    }
}

/// What a topic of a sink is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A retry level with this delay.
    Level(Duration),
    /// Records that this node of the sink has not been offered.
    Parked(usize),
}

impl Place {
    /// The last part of the topic's name.
    pub fn label(self) -> String {
        match self {
            Self::Level(delay) => format!("retry-{}", label(delay)),
            Self::Parked(0) => "parked".to_owned(),
            Self::Parked(node) => format!("parked-{node}"),
        }
    }
}

/// The sink that a topic of `topology` is for, and what it holds; `None` for topics of other kinds.
pub fn place_of<'a>(topology: &str, topic: &'a str) -> Option<(&'a str, Place)> {
    let rest = topic.strip_prefix("squall.")?.strip_prefix(topology)?.strip_prefix('.')?;
    let (sink, last) = rest.rsplit_once('.')?;
    let place = match (last.strip_prefix("retry-"), last.strip_prefix("parked")) {
        (Some(delay), _) => Place::Level(delay_of(delay)?),
        (None, Some("")) => Place::Parked(0),
        (None, Some(node)) => Place::Parked(node.strip_prefix('-')?.parse().ok().filter(|node| *node > 0)?),
        (None, None) => return None,
    };
    (!sink.is_empty()).then_some((sink, place))
}

/// The delay that [`label`] wrote.
fn delay_of(label: &str) -> Option<Duration> {
    let digits = label.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = label.split_at(digits);
    let ms =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)].into_iter().find(|(name, _)| *name == unit)?.1;
    Some(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(ms)?))
}

/// `500ms`, `10s`, `1m`, `2h`: the largest unit that says it exactly.
fn label(delay: Duration) -> String {
    let ms = delay.as_millis();
    for (unit, name) in [(3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
        if ms >= unit && ms.is_multiple_of(unit) {
            return format!("{}{name}", ms / unit);
        }
    }
    format!("{ms}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_say_what_they_hold() {
        let delays = [500, 1_000, 90_000, 600_000, 7_200_000].map(Duration::from_millis);
        let topics = Topics::of("shop", "rows", 3, &delays);
        let levels = ["500ms", "1s", "90s", "10m", "2h"].map(|label| format!("squall.shop.rows.retry-{label}"));
        assert_eq!(topics.levels, levels);
        let parked = ["parked", "parked-1", "parked-2"];
        assert_eq!(topics.parked, parked.map(|last| format!("squall.shop.rows.{last}")));
        let places: Vec<_> = topics.all().filter_map(|topic| place_of("shop", topic)).collect();
        let levels = delays.map(|delay| ("rows", Place::Level(delay)));
        let parked = [0, 1, 2].map(|node| ("rows", Place::Parked(node)));
        assert_eq!(places, levels.into_iter().chain(parked).collect::<Vec<_>>());
        assert_eq!(Place::Level(delays[2]).label(), "retry-90s");
        for other in [
            "squall.shop.control",
            "squall.shop.parked",
            "squall.shopping.rows.parked",
            "squall.shop.rows.retry-1x",
            "squall.shop.rows.parked-0",
            "squall.shop.rows.parked-x",
        ] {
            assert_eq!(place_of("shop", other), None, "{other}");
        }
    }
}
