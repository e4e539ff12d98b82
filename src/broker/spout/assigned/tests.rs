//! Of whom is what in flight, and what is said of it.

use super::*;

fn outcome(end: u64, epoch: u32, watermark: u64) -> Outcome {
    Outcome { partition: 3, epoch, end, failed: None, isolated: false, reason: None, watermark: Some(watermark) }
}

#[test]
fn outcomes_of_an_old_assignment_are_ignored() {
    let mut ours = Assignment::default();
    ours.assign(3, 1, 100, Phase::Normal, 0);
    ours.send(3, 110, None);
    ours.assign(3, 2, 100, Phase::Normal, 0);
    assert_eq!(ours.settle(&outcome(110, 1, 110)), None);
    assert!(ours.take_commits().is_empty());
    ours.send(3, 105, None);
    assert_eq!(ours.settle(&outcome(105, 2, 105)), Some(InFlight { start: 100, attempt: 0, single: false }));
    assert_eq!(ours.take_commits(), [Commit { note: Note::Open, ..Commit::clean(3, 105) }]);
    assert!(ours.take_commits().is_empty(), "a watermark is committed once");
}

#[test]
fn a_partition_is_drained_when_its_own_runs_are_over() {
    let mut ours = Assignment::default();
    ours.assign(3, 1, 0, Phase::Normal, 0);
    ours.assign(4, 1, 0, Phase::Normal, 0);
    ours.send(3, 5, None);
    ours.send(4, 5, None);
    assert!(!ours.is_drained(&[3]));
    ours.settle(&outcome(5, 1, 5));
    assert!(ours.is_drained(&[3]));
    assert!(!ours.is_drained(&[3, 4]));
}

/// What is said of partition 3 while it is read, and when it is given back.
fn notes(ours: &Assignment) -> (Note, Note) {
    let assigned = ours.of(3).unwrap();
    (assigned.note(), assigned.farewell())
}

#[test]
fn notes_say_who_may_be_at_fault() {
    let mut ours = Assignment::default();
    ours.assign(3, 1, 100, Phase::Normal, 0);
    assert_eq!(notes(&ours), (Note::Open, Note::Clean));

    ours.assign(3, 2, 100, Phase::Batchwise { left: 5, end: 200 }, 0);
    assert_eq!(notes(&ours), (Note::Open, Note::Open), "the suspects are still to come");
    ours.suspect(3, Suspect { start: 100, end: 105, note: Note::Batchwise });
    ours.send(3, 105, None);
    assert_eq!(notes(&ours), (Note::Batchwise, Note::Open), "no death has to be told");
    ours.of_mut(3).unwrap().phase = Phase::Batchwise { left: 0, end: 200 };
    ours.settle(&outcome(105, 2, 105));
    assert_eq!(ours.take_cleared(), [3]);
    assert_eq!(notes(&ours), (Note::Open, Note::Clean));

    let singly = Phase::Singly { at: 100, deaths: 2, left: Some(5), end: 200 };
    ours.assign(3, 3, 100, singly, 0);
    assert_eq!(notes(&ours), (Note::Batchwise, Note::Singly { deaths: 1 }), "it came like this");
    ours.suspect(3, Suspect { start: 100, end: 101, note: Note::Singly { deaths: 2 } });
    ours.send(3, 101, None);
    assert_eq!(notes(&ours), (Note::Singly { deaths: 2 }, Note::Singly { deaths: 1 }));
    ours.settle(&outcome(101, 3, 101));
    assert_eq!(ours.take_cleared(), [3]);
    assert_eq!(notes(&ours), (Note::Batchwise, Note::Batchwise), "the rest of the run is as suspect as it was");
}
