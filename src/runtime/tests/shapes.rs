//! Groupings, splits, merges, several outputs, chaining.

use std::collections::{BTreeMap, BTreeSet};

use crate::runtime::Ended;
use crate::testing::{Capture, Trial, numbers};
use crate::topology::{Bolt, Either, Emitter, Grouping, Result, Settings, TaskInfo, Topology, Tuning};

/// Emits what it takes with the index of its task.
#[derive(Clone, Default)]
struct Where(usize);

impl Bolt for Where {
    type In = u64;
    type Out = (usize, u64);

    async fn prepare(&mut self, task: &TaskInfo) -> Result<()> {
        self.0 = task.task;
        Ok(())
    }

    async fn execute(&mut self, tuple: &u64, out: &mut Emitter<(usize, u64)>) -> Result<()> {
        out.emit((self.0, *tuple));
        Ok(())
    }
}

fn placed(build: impl FnOnce(&Topology, Capture<(usize, u64)>)) -> Vec<(usize, u64)> {
    let seen = Capture::default();
    let t = Topology::new("placed");
    build(&t, seen.clone());
    let report = Trial::default().run(t);
    assert!(matches!(report.ended, Ended::Finished), "{:?}", report.ended);
    assert_eq!(report.exit_code(), 0);
    seen.sorted()
}

fn tasks_of(placed: &[(usize, u64)], key: impl Fn(u64) -> u64) -> BTreeMap<u64, BTreeSet<usize>> {
    let mut tasks: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
    for (task, value) in placed {
        tasks.entry(key(*value)).or_default().insert(*task);
    }
    tasks
}

#[test]
fn shuffle_uses_every_task_once_a_tuple() {
    let seen = placed(|t, out| {
        t.spout_with("n", Tuning::default().batch(7), numbers(0..500))
            .shuffle()
            .parallelism(3)
            .bolt("where", Where::default())
            .shuffle()
            .sink("out", out);
    });
    assert_eq!(seen.iter().map(|(_, n)| *n).collect::<BTreeSet<_>>().len(), 500);
    assert_eq!(seen.len(), 500);
    assert_eq!(seen.iter().map(|(task, _)| *task).collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn fields_keeps_a_key_on_one_task_in_order() {
    let lanes = Capture::default();
    let t = Topology::new("order");
    t.spout("n", numbers(0..2000)).fields_by(|n| n % 17).parallelism(4).sink("lanes", lanes.clone());
    assert_eq!(Trial::default().run(t).exit_code(), 0);
    let mut last = BTreeMap::new();
    for n in lanes.tuples() {
        let before = last.insert(n % 17, n);
        assert!(before < Some(n), "{n} after {before:?}");
    }
}

#[test]
fn fields_keeps_a_key_on_one_task() {
    let seen = placed(|t, out| {
        t.spout("n", numbers(0..500))
            .fields_by(|n| n % 17)
            .parallelism(4)
            .bolt("where", Where::default())
            .shuffle()
            .sink("out", out);
    });
    assert_eq!(seen.len(), 500);
    let tasks = tasks_of(&seen, |n| n % 17);
    assert!(tasks.values().all(|tasks| tasks.len() == 1), "{tasks:?}");
    assert!(tasks.values().flatten().collect::<BTreeSet<_>>().len() > 1);
}

#[test]
fn partial_key_keeps_a_key_on_two_tasks() {
    let seen = placed(|t, out| {
        t.spout("n", numbers(0..500))
            .map(|n| n % 3)
            .partial_key(|n| n)
            .parallelism(8)
            .bolt("where", Where::default())
            .shuffle()
            .sink("out", out);
    });
    assert_eq!(seen.len(), 500);
    assert!(tasks_of(&seen, |n| n).values().all(|tasks| tasks.len() <= 2));
}

#[test]
fn all_reaches_every_task_and_global_only_the_first() {
    let seen = placed(|t, out| {
        t.spout("n", numbers(0..50))
            .all()
            .parallelism(3)
            .bolt("where", Where::default())
            .global()
            .sink("out", out);
    });
    assert_eq!(seen, (0..3).flat_map(|task| (0..50).map(move |n| (task, n))).collect::<Vec<_>>());
    let seen = placed(|t, out| {
        t.spout("n", numbers(0..50))
            .global()
            .parallelism(3)
            .bolt("where", Where::default())
            .shuffle()
            .sink("out", out);
    });
    assert_eq!(seen, (0..50).map(|n| (0, n)).collect::<Vec<_>>());
}

#[test]
fn direct_and_custom_groupings_choose_the_task() {
    #[derive(Clone)]
    struct High;
    impl Grouping<u64> for High {
        fn choose(&mut self, tuple: &u64, tasks: usize) -> usize {
            if *tuple < 25 { 0 } else { tasks - 1 }
        }
    }
    let seen = placed(|t, out| {
        t.spout("n", numbers(0..50))
            .direct(|n| *n as usize)
            .parallelism(3)
            .bolt("where", Where::default())
            .shuffle()
            .sink("out", out);
    });
    assert!(seen.iter().all(|(task, n)| *task == *n as usize % 3));
    let seen = placed(|t, out| {
        t.spout("n", numbers(0..50))
            .group(High)
            .parallelism(3)
            .bolt("where", Where::default())
            .shuffle()
            .sink("out", out);
    });
    assert!(seen.iter().all(|(task, n)| *task == if *n < 25 { 0 } else { 2 }));
}

#[test]
fn streams_split_merge_and_are_used_twice() {
    let (whole, halves) = (Capture::default(), Capture::default());
    let t = Topology::new("diamond");
    let n = t.spout("n", numbers(0..200));
    n.clone().shuffle().sink("whole", whole.clone());
    let (even, odd) = n.try_map(|n| if n % 2 == 0 { Ok(n) } else { Err(n.to_string()) });
    even.map(|n| n.to_string())
        .merge(odd.filter_map(|text| (text != "7").then_some(text)))
        .fields(|text| text)
        .parallelism(3)
        .sink("halves", halves.clone());
    let graph = t.graph(&Settings::default());
    assert_eq!(graph.edges.iter().filter(|edge| edge.to == "halves").count(), 2);
    assert_eq!(Trial::default().run(t).exit_code(), 0);
    assert_eq!(whole.sorted(), (0..200).collect::<Vec<u64>>());
    let mut expected: Vec<String> = (0..200).filter(|n| *n != 7).map(|n| n.to_string()).collect();
    expected.sort();
    assert_eq!(halves.sorted(), expected);
}

#[test]
fn chained_operators_share_the_task_of_the_one_before() {
    let seen = Capture::default();
    let t = Topology::new("chain");
    t.spout("n", numbers(0..100))
        .shuffle()
        .parallelism(2)
        .bolt("first", Where::default())
        .map(|(_, n)| n)
        .bolt("second", Where::default())
        .sink("out", seen.clone());
    let graph = t.graph(&Settings::default());
    let chained: Vec<_> =
        graph.operators.iter().filter(|o| o.chained).map(|o| (&*o.name, o.parallelism)).collect();
    assert_eq!(chained, [("second", 2), ("out", 2)]);
    let report = Trial::default().run(t);
    assert_eq!(report.exit_code(), 0);
    assert_eq!(seen.tuples().len(), 100);
    let second = report.snapshot.operator("second").expect("it exists");
    assert_eq!((second.tuples_in, second.tuples_out, second.tasks), (100, 100, 2));
}

#[test]
fn configuration_overrides_parallelism_and_names_what_it_cannot() {
    let t = Topology::new("t");
    t.spout("n", numbers(0..1)).shuffle().parallelism(2).sink("out", Capture::default());
    let mut settings = Settings::default();
    settings.operators.insert("out".into(), Tuning::default().parallelism(5));
    assert_eq!(t.graph(&settings).operators[1].parallelism, 5);
    settings.operators.insert("outt".into(), Tuning::default());
    let error = t.check(&settings).expect_err("there is no such operator").to_string();
    assert_eq!(error, "operators.outt: there is no such operator; did you mean `out`?");
}

#[test]
fn a_graph_is_described_in_four_ways() {
    let t = Topology::new("words");
    t.spout("lines", numbers(0..1))
        .map(|n| n + 1)
        .fields(|n| n)
        .parallelism(2)
        .bolt("count", Where::default())
        .shuffle()
        .sink("out", Capture::default());
    let graph = t.graph(&Settings::default());
    let text = graph.to_text();
    assert!(text.contains("bolt count (2 tasks)\n    from lines by map → fields : u64"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&graph.to_json()).expect("valid JSON");
    assert_eq!(json["operators"][1]["takes"], "u64");
    assert_eq!(json["edges"][0]["steps"][0], "map");
    assert!(graph.to_mermaid().contains("n0 -- \"map → fields\" --> n1"));
    assert!(graph.to_dot().contains("\"count\" -> \"out\" [label=\"shuffle\"];"));
}

#[test]
fn a_stream_that_ends_nowhere_is_refused() {
    let refusal = |build: &dyn Fn(&Topology)| {
        let t = Topology::new("loose");
        build(&t);
        t.check(&Settings::default()).err().map(|error| error.to_string())
    };
    let text = "nothing consumes the stream of `u64` that leaves `numbers`; end it in a sink, or say `.ignore()`";
    assert_eq!(refusal(&|t| drop(t.spout("numbers", numbers(0..3)))).as_deref(), Some(text));
    let half = refusal(&|t| {
        let (even, _odd) = t
            .spout("numbers", numbers(0..3))
            .split(|n| if n % 2 == 0 { Either::Left(n) } else { Either::Right(n.to_string()) });
        even.shuffle().sink("even", Capture::default());
    });
    assert!(half.is_some_and(|text| text.contains("stream of `String` that leaves `numbers` (split)")));
    let copy = refusal(&|t| {
        let stream = t.spout("numbers", numbers(0..3));
        let _second = stream.clone().shuffle();
        stream.sink("all", Capture::default());
    });
    assert!(copy.is_some(), "a second use that is only grouped goes nowhere");
    let ignored = refusal(&|t| {
        let (small, large) = t.spout("numbers", numbers(0..3)).try_map(u8::try_from);
        small.sink("small", Capture::default());
        large.ignore();
    });
    assert_eq!(ignored, None);
}
