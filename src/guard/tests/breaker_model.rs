//! The breaker against a model that knows no shortcut: it looks at every millisecond, and at every call ever made.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::ms;
use crate::guard::{Breaker, BreakerSettings, BreakerState, Permit, Verdict};

#[derive(Debug, Clone)]
enum Step {
    /// Time passes.
    Wait(u64),
    /// Somebody asks.
    Acquire,
    /// The call of one of the permits ends.
    Record(prop::sample::Index, Verdict, u64),
    /// One of the permits is given back.
    Release(prop::sample::Index),
    /// Somebody looks, which must change nothing.
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Success),
        3 => Just(Verdict::Failure),
        1 => Just(Verdict::Ignored),
    ];
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => (0u64..4).prop_map(Step::Wait),
        1 => (0u64..60).prop_map(Step::Wait),
        6 => Just(Step::Acquire),
        6 => (index(), verdict, 0u64..8).prop_map(|(which, verdict, took)| Step::Record(which, verdict, took)),
        1 => index().prop_map(Step::Release),
        1 => Just(Step::Look),
    ]
}

prop_compose! {
    fn settings()(
        (failures, slow) in (1u32..6, 1u32..6),
        (window, window_calls, minimum_calls) in (1u64..40, 1usize..10, 0usize..8),
        (open_for, more) in (1u64..10, 0u64..40),
        (probes, probe_successes, probe_timeout) in (1usize..4, 1u32..4, 1u64..10),
        ramp_step in 0u64..12,
    ) -> BreakerSettings {
        BreakerSettings {
            // In fifths; six fifths never open it.
            failure_rate: f64::from(failures) / 5.0,
            slow_call_rate: f64::from(slow) / 5.0,
            slow_call: ms(5),
            window: ms(window),
            window_calls,
            minimum_calls,
            open_for: ms(open_for),
            open_for_max: ms(open_for + more),
            probes,
            probe_successes,
            probe_timeout: ms(probe_timeout),
            ramp_step: ms(ramp_step),
        }
    }
}

/// An outcome: when, whether it failed, whether it was slow.
type Call = (u64, bool, bool);

#[derive(Debug)]
enum Phase {
    /// With the time at which it closed after an opening.
    Closed(Option<u64>),
    Open {
        until: u64,
    },
    /// With the start of each probe under way, and whether each that succeeded was slow.
    HalfOpen {
        probes: BTreeMap<u64, u64>,
        succeeded: Vec<bool>,
    },
}

struct Model {
    settings: BreakerSettings,
    now: u64,
    phase: Phase,
    calls: Vec<Call>,
    next_open_for: u64,
    changes: u64,
    permits: u64,
    /// Asked and admitted, at each percentage of the ramp.
    ramped: BTreeMap<u64, (u64, u64)>,
}

impl Model {
    fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            now: 0,
            phase: Phase::Closed(None),
            calls: Vec::new(),
            next_open_for: settings.open_for.as_millis() as u64,
            changes: 0,
            permits: 0,
            ramped: BTreeMap::new(),
        }
    }

    fn wait(&mut self, wait: u64) {
        for _ in 0..wait {
            self.now += 1;
            match &self.phase {
                Phase::Open { until } if *until == self.now => {
                    self.enter(Phase::HalfOpen { probes: BTreeMap::new(), succeeded: Vec::new() });
                }
                Phase::HalfOpen { probes, .. } => {
                    let timeout = self.settings.probe_timeout.as_millis() as u64;
                    if probes.values().any(|started| started + timeout == self.now) {
                        self.open();
                    }
                }
                _ => {}
            }
        }
    }

    /// Percent of the calls that are admitted while closed.
    fn percent(&self) -> u64 {
        let Phase::Closed(Some(closed_at)) = self.phase else { return 100 };
        let step = self.settings.ramp_step.as_millis() as u64;
        match self.now - closed_at {
            gone if gone < step => 10,
            gone if gone < 2 * step => 50,
            _ => 100,
        }
    }

    /// Takes what the breaker answered; a permit has a number. Whether the answer is one of those it may give.
    fn acquired(&mut self, granted: bool) -> bool {
        self.permits += 1;
        let (number, now, percent) = (self.permits, self.now, self.percent());
        match &mut self.phase {
            Phase::Closed(_) if percent < 100 => {
                let (asked, admitted) = self.ramped.entry(percent).or_default();
                *asked += 1;
                *admitted += u64::from(granted);
                // Never a whole call away from the exact share.
                (*admitted * 100).abs_diff(*asked * percent) < 100
            }
            Phase::Closed(_) => granted,
            Phase::Open { .. } => !granted,
            Phase::HalfOpen { probes, .. } => {
                let free = probes.len() < self.settings.probes;
                if granted {
                    probes.insert(number, now);
                }
                free == granted
            }
        }
    }

    fn release(&mut self, number: u64) {
        if let Phase::HalfOpen { probes, .. } = &mut self.phase {
            probes.remove(&number);
        }
    }

    fn record(&mut self, (number, changes): (u64, u64), verdict: Verdict, took: u64) {
        if changes != self.changes {
            return;
        }
        self.release(number);
        let (failed, slow) = (verdict == Verdict::Failure, took >= 5);
        if verdict == Verdict::Ignored {
            return;
        }
        let settings = self.settings;
        match &mut self.phase {
            Phase::Closed(_) => {
                self.calls.push((self.now, failed, slow));
                if self.too_bad() {
                    self.open();
                }
            }
            Phase::HalfOpen { .. } if failed => self.open(),
            Phase::HalfOpen { succeeded, .. } => {
                succeeded.push(slow);
                let share = share_of(succeeded.iter(), |slow| **slow);
                if succeeded.len() as u32 == settings.probe_successes {
                    match share >= settings.slow_call_rate {
                        true => self.open(),
                        false => self.enter(Phase::Closed(Some(self.now))),
                    }
                }
            }
            Phase::Open { .. } => unreachable!("no permit is given while it is open"),
        }
    }

    fn too_bad(&self) -> bool {
        let settings = self.settings;
        let young = |call: &&Call| ms(self.now - call.0) < settings.window;
        let counted: Vec<&Call> = self.calls.iter().rev().take(settings.window_calls).filter(young).collect();
        counted.len() >= settings.minimum_calls.min(settings.window_calls)
            && (share_of(counted.iter(), |call| call.1) >= settings.failure_rate
                || share_of(counted.iter(), |call| call.2) >= settings.slow_call_rate)
    }

    fn open(&mut self) {
        if matches!(self.phase, Phase::Closed(Some(_))) && self.percent() == 100 {
            self.next_open_for = self.settings.open_for.as_millis() as u64;
        }
        let until = self.now + self.next_open_for;
        self.next_open_for = (self.next_open_for * 2).min(self.settings.open_for_max.as_millis() as u64);
        self.enter(Phase::Open { until });
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.changes += 1;
        self.calls.clear();
        self.ramped.clear();
    }

    fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed(_) => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }
}

fn share_of<T>(all: impl ExactSizeIterator<Item = T>, which: impl Fn(&T) -> bool) -> f64 {
    let whole = all.len() as f64;
    all.filter(|one| which(one)).count() as f64 / whole
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn it_agrees_with_the_model(settings in settings(), steps in prop::collection::vec(step(), 1..200)) {
        let (mut breaker, mut model) = (Breaker::new(settings), Model::new(settings));
        let mut permits: Vec<(Permit, (u64, u64))> = Vec::new();
        for step in steps {
            let now = ms(model.now);
            match step {
                Step::Wait(wait) => model.wait(wait),
                Step::Acquire => {
                    let answer = breaker.acquire(now);
                    if let (Err(refusal), Phase::Open { until }) = (&answer, &model.phase) {
                        prop_assert_eq!(refusal.retry_after, ms(*until) - now);
                    }
                    if let Err(refusal) = &answer {
                        prop_assert!(!refusal.retry_after.is_zero());
                    }
                    prop_assert!(model.acquired(answer.is_ok()), "{answer:?} at {now:?} in {:?}", model.phase);
                    permits.extend(answer.ok().map(|permit| (permit, (model.permits, model.changes))));
                }
                Step::Record(which, verdict, took) if !permits.is_empty() => {
                    let (permit, known) = permits.swap_remove(which.index(permits.len()));
                    breaker.record(permit, verdict, ms(took), now);
                    model.record(known, verdict, took);
                }
                Step::Release(which) if !permits.is_empty() => {
                    let (permit, (number, _)) = permits.swap_remove(which.index(permits.len()));
                    // The time of a release is the last one that the breaker heard of.
                    breaker.state(now);
                    breaker.release(permit);
                    model.release(number);
                }
                Step::Record(..) | Step::Release(_) => {}
                Step::Look => {
                    breaker.state(now);
                }
            }
            // A copy is asked, so that the breaker itself hears of the time only when it is used.
            let seen = breaker.clone().status(ms(model.now));
            prop_assert_eq!((seen.state, seen.changes), (model.state(), model.changes), "{}", seen.reason);
        }
    }
}
