//! Records of a trace that somebody keeps are told of when they reach their store.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::world::{Behaviour, Log, World};
use crate::broker::LogRecord;
use crate::delivery::{Parcel, Past};
use crate::guard::Clock;
use crate::topology::{Headers, Origin, Sink, TRACEPARENT};

const KEPT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn row(value: u64, trace: Option<&'static str>) -> Arc<Parcel<u64>> {
    let origin = Origin { topic: "input".into(), partition: 0, offset: value, attempt: 0 };
    let headers = trace.map_or_else(Headers::default, |trace| Headers::default().with(TRACEPARENT, trace));
    let value_bytes = Some(value.to_string().into());
    let record = LogRecord { origin, key: None, headers, timestamp_ms: 1_234, value: value_bytes };
    Arc::new(Parcel { record, value, past: Past::default() })
}

#[tokio::test(start_paused = true)]
async fn a_write_names_the_traces_that_their_senders_keep_and_no_others() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let log = Log::open();
    let world = World::new(&log, "traced", Clock::at(1_700_000_000_000), BTreeSet::new());
    world.fill(std::iter::empty()).await;
    let mut sink = world.guard(0).over(world.store(0, |_| Behaviour::Works));
    let dropped = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let quiet = [row(1, None), row(2, Some(dropped)), row(3, Some("no trace"))];
    sink.write(&quiet.iter().collect::<Vec<_>>()).await.unwrap();
    let said = || String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(!said().contains("sink.write"), "{}", said());
    let rows = [row(4, None), row(5, Some(KEPT)), row(6, Some(dropped))];
    sink.write(&rows.iter().collect::<Vec<_>>()).await.unwrap();
    let said = said();
    let line = said.lines().find(|line| line.contains("sink.write")).unwrap_or_else(|| panic!("{said}"));
    for part in ["sink=\"first\"", "rows=3", "traced=1", KEPT, "stored=true"] {
        assert!(line.contains(part), "{line} does not say {part}");
    }
    assert!(!said.contains("1af7651916cd43dd"), "{said}");
}
