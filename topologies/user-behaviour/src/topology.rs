//! The topology: decode, then timelines and rows side by side.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use squall::broker::dead_letter::dead_letter;
use squall::broker::{Broker, BrokerError, LogRecord, LogSpout, LogSpoutSettings, TopicSink};
use squall::store::{RowSink, Rows, TimelineSink, Timelines};
use squall::testing::{Capture, values};
use squall::{Class, Either, Sink, Spout, Topology};

use crate::format::{DecodeError, Format, decode_record, find};
use crate::record::Decoded;
use crate::schema::{cells, entry};

/// Name of the topology: its control topics and its graph bear it.
pub const NAME: &str = "user-behaviour";

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
}

/// A record that did not decode, and why.
#[derive(Debug, Clone)]
pub struct Broken {
    /// The record as it was read.
    pub record: LogRecord,
    /// Why it is not one.
    pub error: DecodeError,
}

/// Wires the topology over any spout and sinks: the real ones, or those of a test.
pub fn wire(
    format: &'static dyn Format,
    spout: impl Spout<Out = LogRecord>,
    dead_letters: impl Sink<In = Broken>,
    timelines: impl Sink<In = Arc<Decoded>>,
    rows: impl Sink<In = Arc<Decoded>>,
) -> Topology {
    let t = Topology::new(NAME);
    let (records, broken) =
        t.spout("behaviour", spout).split(move |record: LogRecord| match decode(format, &record) {
            Ok(decoded) => Either::Left(Arc::new(decoded)),
            Err(error) => Either::Right(Broken { record, error }),
        });
    broken.shuffle().sink("dead-letters", dead_letters);
    records.clone().fields(|r| r.record().user_id.as_str()).parallelism(4).sink("timelines", timelines);
    records.fields(|r| r.record().user_id.as_str()).parallelism(4).sink("rows", rows);
    t
}

/// Builds the topology over a log and stores.
///
/// # Errors
/// When the log has no producer for the dead letters.
pub fn build(
    parts: &Parts,
    source: LogSpoutSettings,
    format: &'static dyn Format,
) -> Result<Topology, BrokerError> {
    let letters = source.dead_letters.clone().unwrap_or_else(|| format!("{}.dead-letters", source.topic));
    let letters = TopicSink::new(parts.broker.producer()?, &letters, |broken: &Broken| {
        dead_letter(&broken.record, Class::Poison, &broken.error.to_string())
    });
    let timelines = TimelineSink::new(parts.timelines.clone(), |decoded: &Arc<Decoded>| entry(decoded));
    let rows = RowSink::new(parts.rows.clone(), |decoded: &Arc<Decoded>, out| cells(decoded, out));
    Ok(wire(format, LogSpout::new(parts.broker.clone(), source), letters, timelines, rows))
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
