//! The topology: decode, then timelines and rows side by side.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use squall::broker::dead_letter::dead_letter;
use squall::broker::{Broker, BrokerError, LogRecord, LogSpout, LogSpoutSettings, Seeks, TopicSink};
use squall::control::backfill::{BackfillMetrics, BackfillSettings, BackfillSpout};
use squall::control::{Control, Running};
use squall::delivery::{Codec, Delivery, DeliverySettings, Parcel, Pending, Retry, SinkSettings, SinkState};
use squall::guard::{Clock, Mode, Switch};
use squall::service::connect::SourceConfig;
use squall::store::{RowSink, Rows, TimelineSink, Timelines};
use squall::testing::{Capture, values};
use squall::{Class, Either, ResultExt, Sink, Spout, Topology};

use crate::format::{DecodeError, Format, decode_record, find};
use crate::record::Decoded;
use crate::schema::{cells, entry};

/// Name of the topology: its graph bears it, and its control topics where the configuration gives no other.
pub const NAME: &str = "user-behaviour";
/// Name of the spout.
pub const SPOUT: &str = "behaviour";
/// Name of the sink into the timelines, and of its switch.
pub const TIMELINES: &str = "timelines";
/// Name of the sink into the rows, and of its switch.
pub const ROWS: &str = "rows";

/// Name of the spout of backfills.
pub const BACKFILL: &str = "backfill";

/// Header that names the format of a record, where a topic holds more than one.
pub const FORMAT_HEADER: &str = "format";

/// What the topology is made of.
#[derive(Clone)]
pub struct Parts {
    /// The log.
    pub broker: Arc<dyn Broker>,
    /// The timelines and profiles.
    pub timelines: Arc<dyn Timelines>,
    /// The rows.
    pub rows: Arc<dyn Rows>,
    /// Names of the topics that the log has.
    pub topics: Vec<String>,
}

/// A record that did not decode, and why.
#[derive(Debug, Clone)]
pub struct Broken {
    /// The record as it was read.
    pub record: LogRecord,
    /// Why it is not one.
    pub error: DecodeError,
}

/// A record that decoded, with the record itself: what the stores take, and can park.
pub type Taken = Arc<Parcel<Decoded>>;

/// How the topology is put together over its parts.
#[derive(Clone)]
pub struct Wiring {
    /// Name under which it is operated.
    pub name: String,
    /// Where records come from.
    pub source: LogSpoutSettings,
    /// How it takes part in backfills.
    pub backfill: BackfillSettings,
    /// Format of records that do not name theirs.
    pub format: &'static dyn Format,
    /// What surrounds both stores.
    pub delivery: DeliverySettings,
    /// What the timelines have for themselves.
    pub timelines: SinkSettings,
    /// What the rows have for themselves.
    pub rows: SinkSettings,
    /// What an operator moves.
    pub handles: Handles,
}

/// What an operator moves while the topology runs.
#[derive(Clone)]
pub struct Handles {
    /// Takes the timelines out of the path.
    pub timelines: Switch,
    /// Takes the rows out of the path.
    pub rows: Switch,
    /// Pauses the spout.
    pub behaviour: Running,
    /// Has the spout go on elsewhere; `None` where nobody does.
    pub seeks: Option<Arc<dyn Seeks>>,
}

impl Handles {
    /// Handles of the names that this topology has, reading from `source`.
    pub fn of(control: &Control, source: &SourceConfig) -> Self {
        Self {
            timelines: control.switch(TIMELINES),
            rows: control.switch(ROWS),
            behaviour: control.spout(SPOUT),
            seeks: Some(control.seeks(SPOUT, &source.topic, &source.group)),
        }
    }

    /// Handles that nobody else moves.
    pub fn alone(timelines: Mode, rows: Mode) -> Self {
        Self {
            timelines: Switch::new(timelines),
            rows: Switch::new(rows),
            behaviour: Running::new(true),
            seeks: None,
        }
    }
}

/// The topology, and the one that brings records back.
pub struct Built {
    /// Decodes and stores.
    pub main: Topology,
    /// Brings back what failed or was parked.
    pub retry: Topology,
    /// Processes ranges of the log that an operator wants processed (again).
    pub backfill: Topology,
    /// How those jobs stand.
    pub jobs: BackfillMetrics,
    /// What waits to be brought back.
    pub pending: Pending,
    /// The states of both stores' guards.
    pub guards: [Arc<SinkState>; 2],
}

/// Wires the topology over any spout and sinks: the real ones, or those of a test.
pub fn wire(
    format: &'static dyn Format,
    spout: impl Spout<Out = LogRecord>,
    dead_letters: impl Sink<In = Broken>,
    timelines: impl Sink<In = Taken>,
    rows: impl Sink<In = Taken>,
) -> Topology {
    wire_as(NAME, SPOUT, format, spout, dead_letters, timelines, rows)
}

fn wire_as(
    name: &str,
    spout_name: &str,
    format: &'static dyn Format,
    spout: impl Spout<Out = LogRecord>,
    dead_letters: impl Sink<In = Broken>,
    timelines: impl Sink<In = Taken>,
    rows: impl Sink<In = Taken>,
) -> Topology {
    let t = Topology::new(name);
    let (records, broken) =
        t.spout(spout_name, spout).split(move |record: LogRecord| match decode(format, &record) {
            Ok(decoded) => Either::Left(Arc::new(Parcel::fresh(record, decoded))),
            Err(error) => Either::Right(Broken { record, error }),
        });
    broken.shuffle().sink("dead-letters", dead_letters);
    records.clone().fields(|r| r.value.record().user_id.as_str()).parallelism(4).sink(TIMELINES, timelines);
    records.fields(|r| r.value.record().user_id.as_str()).parallelism(4).sink(ROWS, rows);
    t
}

/// Builds the topology over a log and stores.
///
/// # Errors
/// When the log has no producer.
pub fn build(parts: &Parts, wiring: Wiring) -> Result<Built, BrokerError> {
    let Wiring { name, source, backfill, format, delivery, timelines, rows, handles } = wiring;
    let letters = TopicSink::new(parts.broker.producer()?, &delivery.dead_letters, |broken: &Broken| {
        dead_letter(&broken.record, Class::Poison, &broken.error.to_string())
    });
    let delivery = Delivery::new(&name, parts.broker.clone(), Clock::new(), delivery)?;
    let codec = Codec::new(move |record: &LogRecord| decode(format, record).poison())
        .version(|decoded: &Decoded| format!("{}/{}", decoded.record().occurred_at, decoded.record().event_id));
    let ring = parts.timelines.clone();
    let of_ring =
        codec.clone().nodes(ring.nodes(), move |decoded: &Decoded| ring.node_of(&decoded.record().user_id));
    let timelines = delivery.guard(TIMELINES, handles.timelines, of_ring, timelines);
    let rows = delivery.guard(ROWS, handles.rows, codec, rows);

    let to_timelines = timelines.over(TimelineSink::new(parts.timelines.clone(), |r: &Taken| entry(&r.value)));
    let to_rows = rows.over(RowSink::new(parts.rows.clone(), |r: &Taken, out| cells(&r.value, out)));
    let spout = LogSpout::new(parts.broker.clone(), source.clone())
        .gated(Arc::new(handles.behaviour))
        .gated(timelines.gate())
        .gated(rows.gate());
    let spout = match handles.seeks {
        Some(seeks) => spout.steered(seeks),
        None => spout,
    };
    let retry =
        Retry::new(&delivery, source.group).existing(parts.topics.clone()).sink(&timelines, to_timelines.clone());
    let (retry, pending) = retry.sink(&rows, to_rows.clone()).topology();
    // The stacks are the same, so that switches, breakers and pressure hold for backfills too.
    let of_ranges = BackfillSpout::new(parts.broker.clone(), backfill).gated(timelines.gate()).gated(rows.gate());
    let jobs = of_ranges.metrics();
    let backfill_name = format!("{name}-backfill");
    let (letters_too, timelines_too, rows_too) = (letters.clone(), to_timelines.clone(), to_rows.clone());
    let backfill = wire_as(&backfill_name, BACKFILL, format, of_ranges, letters_too, timelines_too, rows_too);
    let main = wire(format, spout, letters, to_timelines, to_rows);
    let guards = [timelines.state().clone(), rows.state().clone()];
    Ok(Built { main, retry, backfill, jobs, pending, guards })
}

/// The topology over nothing: for its graph.
pub fn shape(format: &'static dyn Format) -> Topology {
    wire(format, values([]), Capture::default(), Capture::default(), Capture::default())
}

/// Decodes a record in the format that its header names, or in `format`.
///
/// # Errors
/// Whatever keeps it from being stored.
pub fn decode(format: &'static dyn Format, record: &LogRecord) -> Result<Decoded, DecodeError> {
    let named = match record.headers.last(FORMAT_HEADER) {
        None => format,
        Some(name) => find(&String::from_utf8_lossy(name))?,
    };
    decode_record(named, record, now_ms())
}

/// The header for records of `format`.
pub fn format_header(format: &dyn Format) -> Bytes {
    Bytes::from_static(format.name().as_bytes())
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64)
}
