//! Records of a trace that somebody keeps are told of when they reach their store.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::world::{Behaviour, Log, World};
use crate::broker::LogRecord;
use crate::delivery::{Parcel, Past};
use crate::guard::Clock;
use crate::testing::Lines;
use crate::topology::{Headers, Origin, Sink, TRACEPARENT, export_spans};

const KEPT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn row(value: u64, trace: Option<&'static str>) -> Arc<Parcel<u64>> {
    let origin = Origin { topic: "input".into(), partition: 0, offset: value, attempt: 0 };
    let headers = trace.map_or_else(Headers::default, |trace| Headers::default().with(TRACEPARENT, trace));
    let value_bytes = Some(value.to_string().into());
    let record = LogRecord { origin, key: None, headers, timestamp_ms: 1_234, value: value_bytes };
    Arc::new(Parcel { record, value, past: Past::default() })
}

#[tokio::test(start_paused = true)]
async fn a_write_names_the_traces_that_their_senders_keep_and_no_others() {
    let (lines, _guard) = Lines::collect();
    let log = Log::open();
    let world = World::new(&log, "traced", Clock::at(1_700_000_000_000), BTreeSet::new());
    world.fill(std::iter::empty()).await;
    let mut sink = world.guard(0).over(world.store(0, |_| Behaviour::Works));
    let dropped = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let quiet = [row(1, None), row(2, Some(dropped)), row(3, Some("no trace"))];
    sink.write(&quiet.iter().collect::<Vec<_>>()).await.unwrap();
    assert!(!lines.text().contains("sink.write"), "{}", lines.text());
    let rows = [row(4, None), row(5, Some(KEPT)), row(6, Some(dropped)), row(7, Some(KEPT))];
    sink.write(&rows.iter().collect::<Vec<_>>()).await.unwrap();
    let said = lines.parsed();
    let line = said.iter().find(|line| line["span"]["name"] == "sink.write").unwrap_or_else(|| panic!("{said:?}"));
    let span = &line["span"];
    assert_eq!((&span["sink"], &span["rows"], &span["traced"]), (&"first".into(), &4.into(), &2.into()));
    assert_eq!((&span["traces"], &line["fields"]["stored"]), (&KEPT.into(), &true.into()));
    assert!(!lines.text().contains("1af7651916cd43dd"), "{}", lines.text());
}

/// A store that does not answer is where a trace is needed most.
#[tokio::test(start_paused = true)]
async fn a_write_that_is_given_up_ends_its_spans_too() {
    const TRACE: u128 = 0x3af7_6519_16cd_43dd_8448_eb21_1c80_319c;
    let (sender, spans) = std::sync::mpsc::channel();
    // Of the whole process: other tests' spans arrive too.
    assert!(export_spans(move |span| drop(sender.send(span))));
    let log = Log::open();
    let world = World::new(&log, "given-up", Clock::at(1_700_000_000_000), BTreeSet::new());
    world.fill(std::iter::empty()).await;
    for (behaviour, failure) in [(Behaviour::Works, None), (Behaviour::Hangs, Some("the write was given up"))] {
        let mut sink = world.guard(0).over(world.store(0, move |_| behaviour));
        let rows = [1, 2].map(|value| row(value, Some("00-3af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")));
        // Parked or not: the span is what counts.
        let _outcome = sink.write(&rows.iter().collect::<Vec<_>>()).await;
        let ended: Vec<_> = spans.try_iter().filter(|span| span.context.trace_id == TRACE).collect();
        let [span] = &ended[..] else { panic!("one for both records: {ended:?}") };
        assert_eq!((span.name.as_str(), span.parent), ("sink.write first", Some(0xb7ad_6b71_6920_3331)));
        assert_eq!(span.failure.as_deref(), failure);
        assert_ne!(span.context.parent_id, 0xb7ad_6b71_6920_3331, "an id of its own");
    }
}
