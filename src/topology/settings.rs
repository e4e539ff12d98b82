//! The numbers that bound a topology, with their defaults. Set in code, overridable by configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds of one operator. Every field is optional: what is `None` comes from code, then from
/// [`Settings::defaults`], then from [`Bounds::default`].
///
/// ```
/// use squall::Tuning;
/// let tuning = Tuning::default().rows(1000).linger_ms(2);
/// assert_eq!(tuning.rows, Some(1000));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tuning {
    /// Tasks of the operator.
    pub parallelism: Option<usize>,
    /// Tuples in a batch on its outgoing edges, and in a pull of a spout.
    pub batch: Option<usize>,
    /// Batches that wait in front of one task before its senders wait.
    pub edge: Option<usize>,
    /// Longest time a tuple waits on an edge for company, in milliseconds.
    pub edge_linger_ms: Option<u64>,
    /// Spout runs in flight per task of a spout.
    pub max_pending: Option<usize>,
    /// Rows of one sink write.
    pub rows: Option<usize>,
    /// Bytes of one sink write.
    pub bytes: Option<usize>,
    /// Longest time a row waits for company before a sink writes, in milliseconds.
    pub linger_ms: Option<u64>,
    /// Interval of ticks in milliseconds, for a bolt that ticks.
    pub tick_ms: Option<u64>,
    /// Tries of a retryable failure in place, after the first.
    pub retries: Option<u32>,
    /// Pause before the first of them in milliseconds; doubles with each.
    pub back_off_ms: Option<u64>,
    /// Longest pause between tries in milliseconds.
    pub back_off_max_ms: Option<u64>,
    /// Age at which a tree of a spout is failed, in milliseconds.
    pub message_timeout_ms: Option<u64>,
}

macro_rules! setters {
    ($($name:ident: $kind:ty),* $(,)?) => {
        impl Tuning {
            $(
                #[doc = concat!("Sets `", stringify!($name), "`.")]
                #[must_use]
                pub fn $name(mut self, value: $kind) -> Self {
                    self.$name = Some(value);
                    self
                }
            )*

            /// Fields that are set here, the others from `under`.
            #[must_use]
            pub fn over(&self, under: &Self) -> Self {
                Self { $($name: self.$name.or(under.$name)),* }
            }
        }
    };
}

setters! {
    parallelism: usize, batch: usize, edge: usize, edge_linger_ms: u64, max_pending: usize, rows: usize, bytes: usize,
    linger_ms: u64, tick_ms: u64, retries: u32, back_off_ms: u64, back_off_max_ms: u64, message_timeout_ms: u64,
}

/// A bound that cannot work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutOfRange {
    pub(super) key: &'static str,
    pub(super) value: u64,
    pub(super) most: u64,
}

impl Tuning {
    /// The first bound that is zero, or so large that it is none.
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        let size = |value: Option<usize>| value.map(|value| value as u64);
        let bounds = [
            ("parallelism", size(self.parallelism), 1024),
            ("batch", size(self.batch), 1 << 20),
            ("edge", size(self.edge), 1 << 16),
            ("max_pending", size(self.max_pending), 1 << 20),
            ("rows", size(self.rows), 1 << 20),
            ("bytes", size(self.bytes), 1 << 30),
            ("message_timeout_ms", self.message_timeout_ms, 86_400_000),
        ];
        for (key, value, most) in bounds {
            if let Some(value) = value.filter(|value| *value == 0 || *value > most) {
                return Err(OutOfRange { key, value, most });
            }
        }
        Ok(())
    }
}

/// The settings of a topology: bounds for all operators, and for single ones by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// For every operator that does not say otherwise.
    pub defaults: Tuning,
    /// By name of the operator; stronger than what code says.
    pub operators: BTreeMap<String, Tuning>,
}

/// The bounds of one operator, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Tasks of the operator.
    pub parallelism: usize,
    /// Tuples in a batch.
    pub batch: usize,
    /// Batches in front of a task.
    pub edge: usize,
    /// Longest wait for company on an edge.
    pub edge_linger: Duration,
    /// Spout runs in flight per task.
    pub max_pending: usize,
    /// Rows of one sink write.
    pub rows: usize,
    /// Bytes of one sink write.
    pub bytes: usize,
    /// Longest wait for company in a sink.
    pub linger: Duration,
    /// Interval of ticks, when the configuration overrides the bolt's own.
    pub tick: Option<Duration>,
    /// Tries in place after the first.
    pub retries: u32,
    /// Pause before the first retry.
    pub back_off: Duration,
    /// Longest pause between retries.
    pub back_off_max: Duration,
    /// Age at which a tree is failed.
    pub message_timeout: Duration,
}

impl Default for Bounds {
    /// One task, batches of 512, 16 batches an edge, 5 ms linger on edges, 64 runs pending; writes of 512 rows,
    /// 1 MiB, no linger; 5 retries from 20 ms to 1 s; 30 s message timeout.
    fn default() -> Self {
        Self {
            parallelism: 1,
            batch: 512,
            edge: 16,
            edge_linger: Duration::from_millis(5),
            max_pending: 64,
            rows: 512,
            bytes: 1 << 20,
            linger: Duration::ZERO,
            tick: None,
            retries: 5,
            back_off: Duration::from_millis(20),
            back_off_max: Duration::from_secs(1),
            message_timeout: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// The bounds of `operator`, which code tuned with `code`. Zeroes where at least one is needed count as one.
    pub fn bounds(&self, operator: &str, code: &Tuning) -> Bounds {
        let base = Bounds::default();
        let named = self.operators.get(operator).cloned().unwrap_or_default();
        let t = named.over(code).over(&self.defaults);
        let ms = |value: Option<u64>, or: Duration| value.map_or(or, Duration::from_millis);
        Bounds {
            parallelism: t.parallelism.unwrap_or(base.parallelism).max(1),
            batch: t.batch.unwrap_or(base.batch).max(1),
            edge: t.edge.unwrap_or(base.edge).max(1),
            edge_linger: ms(t.edge_linger_ms, base.edge_linger),
            max_pending: t.max_pending.unwrap_or(base.max_pending).max(1),
            rows: t.rows.unwrap_or(base.rows).max(1),
            bytes: t.bytes.unwrap_or(base.bytes).max(1),
            linger: ms(t.linger_ms, base.linger),
            tick: t.tick_ms.map(Duration::from_millis).filter(|every| !every.is_zero()),
            retries: t.retries.unwrap_or(base.retries),
            back_off: ms(t.back_off_ms, base.back_off),
            back_off_max: ms(t.back_off_max_ms, base.back_off_max),
            message_timeout: ms(t.message_timeout_ms, base.message_timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_beats_code_beats_defaults() {
        let mut settings = Settings { defaults: Tuning::default().batch(10).rows(20), ..Settings::default() };
        settings.operators.insert("rows".into(), Tuning::default().rows(7));
        let code = Tuning::default().rows(5).retries(0).edge(3);
        let bounds = settings.bounds("rows", &code);
        assert_eq!((bounds.rows, bounds.batch, bounds.retries, bounds.edge), (7, 10, 0, 3));
        assert_eq!(settings.bounds("other", &code).rows, 5);
        assert_eq!(settings.bounds("other", &Tuning::default()).rows, 20);
    }
}
