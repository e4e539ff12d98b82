//! The fold, under any events in any order.

use proptest::prelude::*;

use crate::control::backfill::{Entry, Event, Job, Lease, Ledger, Range, State};

pub(super) fn job(id: &str, ranges: &[(u32, u64, u64)], chunk: u64) -> Job {
    let ranges = ranges.iter().map(|&(partition, from, to)| Range { partition, from, to }).collect();
    Job {
        id: id.to_owned(),
        topic: "t".to_owned(),
        ranges,
        chunk,
        rate: None,
        share: 1.0,
        workers: None,
        only_sinks: Vec::new(),
        runner: None,
        skip: None,
        sends: None,
        over: None,
        lease_ms: 1_000,
        who: "ann@desk".to_owned(),
        when_ms: 1,
        reason: String::new(),
    }
}

fn claim(chunk: u32, worker: &str, at_ms: i64) -> Event {
    Event::Claim { job: "b".into(), chunk, worker: worker.into(), at_ms, after: None }
}

fn progress(chunk: u32, token: u64, next: u64, at_ms: i64) -> Event {
    Event::Progress { job: "b".into(), chunk, token, next, at_ms }
}

fn done(chunk: u32, token: u64, next: u64) -> Event {
    Event::Done { job: "b".into(), chunk, token, next, at_ms: 0 }
}

fn folded(job: Job, events: &[Event]) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.add(job);
    events.iter().enumerate().for_each(|(offset, event)| ledger.note(offset as u64, Some(event)));
    ledger
}

#[test]
fn a_job_is_cut_into_chunks_that_cover_it() {
    let chunks = job("b", &[(0, 5, 26), (2, 0, 10)], 10).chunks();
    let seen: Vec<_> = chunks.iter().map(|chunk| (chunk.partition, chunk.from, chunk.to)).collect();
    assert_eq!(seen, [(0, 5, 15), (0, 15, 25), (0, 25, 26), (2, 0, 10)]);
}

#[test]
fn a_record_that_makes_no_sense_holds_no_job() {
    let good = job("b", &[(0, 5, 26)], 10);
    assert_eq!(Job::decode(&good.encode()).unwrap(), good);
    let bad = [
        Job { share: 0.0, ..good.clone() },
        Job { share: 1.5, ..good.clone() },
        Job { rate: Some(0), ..good.clone() },
        Job { chunk: 0, ..good.clone() },
        Job { workers: Some(0), ..good.clone() },
        Job { ranges: Vec::new(), ..good.clone() },
        Job { ranges: vec![good.ranges[0], Range { partition: 0, from: 25, to: 30 }], ..good.clone() },
        Job { only_sinks: vec!["rows,views".to_owned()], ..good.clone() },
        Job { ranges: vec![Range { partition: 0, from: 0, to: u64::MAX }], ..good },
    ];
    for job in bad {
        assert!(Job::decode(&job.encode()).is_err(), "{job:?}");
    }
    assert!(Job::decode(b"{}").is_err() && Job::decode(b"\xff").is_err());
}

#[test]
fn a_lease_that_is_over_is_taken_and_its_token_is_dead() {
    let events = [claim(0, "a", 0), claim(0, "b", 1_000), progress(0, 0, 5, 100), claim(0, "b", 1_101)];
    let mut ledger = folded(job("b", &[(0, 0, 10)], 10), &events);
    let entry = ledger.job("b").unwrap();
    assert_eq!(entry.lease(0).map(|lease| (lease.worker.as_str(), lease.token)), Some(("b", 3)));
    for (offset, event) in [progress(0, 0, 9, 1_200), done(0, 0, 10)].iter().enumerate() {
        ledger.note(10 + offset as u64, Some(event));
    }
    assert_eq!(ledger.job("b").unwrap().settled(), 5, "what the dead token says is not heard");
    ledger.note(20, Some(&done(0, 3, 10)));
    assert_eq!((ledger.job("b").unwrap().settled(), ledger.job("b").unwrap().is_done()), (10, true));
}

/// Whatever its clock says; but not when it was heard of after all.
#[test]
fn a_lease_that_is_silent_is_taken_by_who_names_its_last_word() {
    let silent =
        |after| Event::Claim { job: "b".into(), chunk: 0, worker: "b".into(), at_ms: 0, after: Some(after) };
    let ahead = [claim(0, "a", 9_000_000), progress(0, 0, 0, 9_000_001), progress(0, 7, 5, 0)];
    for (after, heir) in [(0, "a"), (1, "b"), (2, "a"), (3, "a")] {
        let ledger = folded(job("b", &[(0, 0, 10)], 10), &[&ahead[..], &[silent(after)]].concat());
        let lease = ledger.job("b").unwrap().lease(0).unwrap();
        assert_eq!(lease.worker, heir, "after {after}");
        assert_eq!(lease.renewed_ms, if heir == "b" { 0 } else { 9_000_001 });
    }
}

#[test]
fn no_more_are_at_it_than_may_be() {
    let limited = Job { workers: Some(1), ..job("b", &[(0, 0, 20)], 10) };
    let ledger = folded(limited, &[claim(0, "a", 0), claim(1, "b", 0), claim(1, "b", 9_999)]);
    let entry = ledger.job("b").unwrap();
    assert_eq!((entry.counts(), entry.offer(0), entry.offer(1_001)), ((2, 1, 1), None, Some(0)));
}

/// What a dead worker had found to be lost, its heir finds again, and more.
#[test]
fn what_is_lost_counts_once() {
    let lost = |token, from, to| Event::Lost { job: "b".into(), chunk: 0, token, from, to, at_ms: 0 };
    let events =
        [claim(0, "a", 0), lost(0, 2, 4), lost(0, 7, 8), claim(0, "b", 9_999), lost(3, 0, 5), lost(3, 5, 6)];
    let ledger = folded(job("b", &[(0, 0, 10)], 10), &events);
    let lost: Vec<_> = ledger.job("b").unwrap().lost().map(|range| (range.from, range.to)).collect();
    assert_eq!(lost, [(0, 6), (7, 8)]);
}

#[test]
fn a_job_that_is_paused_or_over_gives_nothing_out() {
    let (who, reason) = (String::new(), String::new());
    let pause = Event::Pause { job: "b".into(), who: who.clone(), reason: reason.clone(), at_ms: 0 };
    let resume = Event::Resume { job: "b".into(), who: who.clone(), reason: reason.clone(), at_ms: 0 };
    let cancel = Event::Cancel { job: "b".into(), who, reason, at_ms: 0 };
    let finished = Event::Finished { job: "b".into(), worker: "a".into(), at_ms: 7 };
    let small = || job("b", &[(0, 0, 10)], 10);
    let state = |events: &[Event]| {
        let ledger = folded(small(), events);
        let entry = ledger.job("b").unwrap();
        (entry.state(), entry.counts().1, entry.offer(0))
    };
    assert_eq!(state(&[pause.clone(), claim(0, "a", 0)]), (State::Paused, 0, None));
    assert_eq!(state(&[pause, resume.clone(), claim(0, "a", 0)]), (State::Running, 1, None));
    assert_eq!(state(&[cancel, resume, claim(0, "a", 0)]), (State::Cancelled, 0, None));
    assert_eq!(state(std::slice::from_ref(&finished)), (State::Running, 0, Some(0)), "nothing is done yet");
    let all = [claim(0, "a", 0), done(0, 0, 10), finished, claim(0, "a", 0)];
    assert_eq!(state(&all), (State::Finished, 0, None));
}

/// Any event, of few workers and chunks, with tokens that may be right.
fn any_event() -> impl Strategy<Value = Event> {
    let (chunk, worker, token, next, at) = (0_u32..5, "[abc]", 0_u64..80, 0_u64..45, 0_i64..6_000);
    (0_u32..14, chunk, worker, token, next, at).prop_map(|(kind, chunk, worker, token, next, at_ms)| {
        let job = if kind == 13 { "other".to_owned() } else { "b".to_owned() };
        let (who, reason) = (String::new(), String::new());
        match kind {
            0..3 => Event::Claim { job, chunk, worker, at_ms, after: None },
            3 => Event::Claim { job, chunk, worker, at_ms, after: Some(token) },
            4..7 => Event::Progress { job, chunk, token, next, at_ms },
            7 | 8 => Event::Done { job, chunk, token, next: (u64::from(chunk) + 1) * 10, at_ms },
            9 => Event::Release { job, chunk, token, next, at_ms },
            10 => Event::Lost { job, chunk, token, from: next, to: next + token, at_ms },
            11 if at_ms % 2 == 0 => Event::Pause { job, who, reason, at_ms },
            12 if at_ms % 50 == 0 => Event::Cancel { job, who, reason, at_ms },
            11 | 12 => Event::Resume { job, who, reason, at_ms },
            _ => Event::Finished { job, worker, at_ms },
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn any_events_keep_the_rules(
        events in prop::collection::vec((any_event(), any::<bool>()), 1..80),
        workers in 1_u32..5,
    ) {
        let mut ledger = Ledger::default();
        ledger.add(Job { workers: Some(workers), ..job("b", &[(0, 0, 40)], 10) });
        for (offset, (event, right)) in events.into_iter().enumerate() {
            let before = ledger.clone();
            let entry = before.job("b").unwrap();
            // Half of what is said has the token that counts.
            let event = if right { with_token(entry, event) } else { event };
            ledger.note(offset as u64, Some(&event));
            let after = ledger.job("b").unwrap();
            prop_assert!(after.settled() >= entry.settled(), "progress went back");
            prop_assert!(after.settled() <= 40);
            prop_assert!(after.counts().1 <= workers as usize, "more leases than workers");
            if entry.is_over() {
                prop_assert_eq!(after.state(), entry.state(), "what is over stays so");
                let same = |(chunk, lease): (u32, &Lease)| entry.lease(chunk).is_some_and(|then| then.token == lease.token);
                prop_assert!(after.leases().all(same), "nothing more is given out");
            }
            for chunk in 0..4 {
                prop_assert!(!entry.is_chunk_done(chunk) || after.is_chunk_done(chunk), "done is for good");
                let next = |entry: &Entry| entry.chunk(chunk).map_or(u64::MAX, |known| known.next);
                prop_assert!(next(after) >= next(entry), "progress went back");
                let (then, now) = (entry.lease(chunk), after.lease(chunk));
                if let (Some(then), Some(now)) = (then, now)
                    && then.token != now.token
                {
                    prop_assert_eq!(now.token, offset as u64, "a token is the offset of its claim");
                    let Event::Claim { at_ms, after, .. } = &event else { panic!("only a claim takes a chunk") };
                    let is_over = *at_ms > then.renewed_ms + 1_000 || *after == Some(then.heard);
                    prop_assert!(then.worker == now.worker || is_over);
                }
            }
            let mut again = ledger.clone();
            again.note(offset as u64, Some(&event));
            prop_assert_eq!(&again, &ledger, "a record counts once");
        }
    }

    #[test]
    fn what_is_no_event_changes_nothing(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(Event::decode(&bytes).is_none());
    }
}

fn with_token(entry: &Entry, event: Event) -> Event {
    let right = |chunk: u32, token: u64| entry.lease(chunk).map_or(token, |lease| lease.token);
    match event {
        Event::Progress { job, chunk, token, next, at_ms } => {
            Event::Progress { job, chunk, token: right(chunk, token), next, at_ms }
        }
        Event::Done { job, chunk, token, next, at_ms } => {
            Event::Done { job, chunk, token: right(chunk, token), next, at_ms }
        }
        Event::Release { job, chunk, token, next, at_ms } => {
            Event::Release { job, chunk, token: right(chunk, token), next, at_ms }
        }
        event => event,
    }
}
