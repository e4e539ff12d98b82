//! The state machine.

use std::time::Duration;

use super::super::ramp::Ramp;
use super::call::{BreakerState, BreakerStatus, Permit, Refusal, Verdict};
use super::settings::BreakerSettings;
use super::window::{Window, reaches};

/// A circuit breaker for one owner; [`SharedBreaker`](super::SharedBreaker) for several.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: BreakerSettings,
    /// The latest time heard of.
    now: Duration,
    phase: Phase,
    window: Window,
    /// Openings since the last time that a ramp came to its end.
    openings: u32,
    serial: u64,
    changes: u64,
    since: Duration,
    reason: String,
}

#[derive(Debug, Clone)]
enum Phase {
    Closed { ramp: Option<Admission> },
    Open { until: Duration },
    HalfOpen { probes: Vec<Probe>, succeeded: u32, slow: u32 },
}

/// A probe under way.
#[derive(Debug, Clone, Copy)]
struct Probe {
    serial: u64,
    started: Duration,
}

impl Breaker {
    /// A breaker that is closed and admits all.
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            now: Duration::ZERO,
            phase: Phase::Closed { ramp: None },
            window: Window::default(),
            openings: 0,
            serial: 0,
            changes: 0,
            since: Duration::ZERO,
            reason: "nothing happened yet".to_owned(),
        }
    }

    /// Asks for leave to make a call. A permit that was given has to come back by [`record`](Self::record) or
    /// [`release`](Self::release).
    ///
    /// # Errors
    /// The call may not go now.
    pub fn acquire(&mut self, now: Duration) -> Result<Permit, Refusal> {
        self.advance(now);
        let now = self.now;
        match &mut self.phase {
            Phase::Closed { ramp: None } => {}
            Phase::Closed { ramp: Some(admission) } => admission.admit(now)?,
            Phase::Open { until } => {
                return Err(Refusal { retry_after: *until - now, reason: "the breaker is open" });
            }
            Phase::HalfOpen { probes, .. } => {
                if probes.len() >= self.settings.probes.max(1) {
                    let oldest = probes.iter().map(|probe| probe.started).min().unwrap_or(now);
                    let retry_after = oldest.saturating_add(self.settings.probe_timeout) - now;
                    return Err(Refusal {
                        retry_after,
                        reason: "the breaker is half-open and its probes are out",
                    });
                }
                self.serial += 1;
                probes.push(Probe { serial: self.serial, started: now });
            }
        }
        Ok(Permit { epoch: self.changes, serial: self.serial })
    }

    /// Takes the outcome of a call, and how long it took. Ignored if the breaker changed its state since the permit,
    /// so a call that was under way when it opened can neither close it nor fail a probe.
    pub fn record(&mut self, permit: Permit, verdict: Verdict, took: Duration, now: Duration) {
        self.advance(now);
        let slow = took >= self.settings.slow_call;
        match verdict {
            _ if permit.epoch != self.changes => {}
            Verdict::Ignored => self.release(permit),
            Verdict::Success => self.count(permit, false, slow),
            Verdict::Failure => self.count(permit, true, slow),
        }
    }

    /// Takes a permit back whose call was not made, or has no outcome.
    pub fn release(&mut self, permit: Permit) {
        if permit.epoch == self.changes
            && let Phase::HalfOpen { probes, .. } = &mut self.phase
        {
            probes.retain(|probe| probe.serial != permit.serial);
        }
    }

    /// Where it stands.
    pub fn state(&mut self, now: Duration) -> BreakerState {
        self.advance(now);
        match self.phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Where it stands, since when and why.
    pub fn status(&mut self, now: Duration) -> BreakerStatus {
        let state = self.state(now);
        BreakerStatus { state, since: self.since, changes: self.changes, reason: self.reason.clone() }
    }

    /// Changes of state, up to the latest time that it heard of.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// What made it change last, as in `12 of 20 calls failed in 10 s`.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    fn count(&mut self, permit: Permit, failed: bool, slow: bool) {
        match &mut self.phase {
            Phase::Closed { .. } => {
                self.window.push(&self.settings, self.now, failed, slow);
                if let Some(trouble) = self.window.trouble(&self.settings) {
                    self.open(self.now, trouble);
                }
            }
            Phase::HalfOpen { .. } if failed => self.open(self.now, "a probe failed".to_owned()),
            Phase::HalfOpen { probes, succeeded, slow: slow_ones } => {
                probes.retain(|probe| probe.serial != permit.serial);
                *succeeded += 1;
                *slow_ones += u32::from(slow);
                let (succeeded, slow) = (*succeeded, *slow_ones);
                self.judge(succeeded, slow);
            }
            // No permit has the epoch of an open breaker.
            Phase::Open { .. } => {}
        }
    }

    /// Whether the probes that succeeded are enough. Slow ones count as in the window: what opened the breaker does
    /// not close it.
    fn judge(&mut self, succeeded: u32, slow: u32) {
        if succeeded < self.settings.probe_successes.max(1) {
            return;
        }
        if reaches(slow as usize, succeeded as usize, self.settings.slow_call_rate) {
            let slow_call = self.settings.slow_call.as_secs_f64();
            return self.open(self.now, format!("{slow} of {succeeded} probes took {slow_call} s or longer"));
        }
        let ramp = Some(Admission::new(Ramp::new(self.now, self.settings.ramp_step)));
        self.change(Phase::Closed { ramp }, self.now, format!("{succeeded} probes succeeded"));
    }

    /// Does what time alone does, at the moments at which it was due: being asked rarely changes nothing.
    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        loop {
            match &self.phase {
                Phase::Closed { ramp: Some(admission) } if admission.ramp.is_over(self.now) => {
                    self.phase = Phase::Closed { ramp: None };
                    self.openings = 0;
                }
                Phase::Open { until } if *until <= self.now => {
                    let half_open = Phase::HalfOpen { probes: Vec::new(), succeeded: 0, slow: 0 };
                    let waited = (*until - self.since).as_secs_f64();
                    self.change(half_open, *until, format!("it was open for {waited} s"));
                }
                Phase::HalfOpen { probes, .. } => {
                    let timeout = self.settings.probe_timeout;
                    let first = probes.iter().map(|probe| probe.started.saturating_add(timeout)).min();
                    match first.filter(|deadline| *deadline <= self.now) {
                        Some(at) => {
                            self.open(at, format!("a probe had no outcome in {} s", timeout.as_secs_f64()))
                        }
                        None => return,
                    }
                }
                _ => return,
            }
        }
    }

    fn open(&mut self, at: Duration, reason: String) {
        let until = at.saturating_add(self.settings.open_for(self.openings));
        self.openings = self.openings.saturating_add(1);
        self.change(Phase::Open { until }, at, reason);
    }

    fn change(&mut self, phase: Phase, at: Duration, reason: String) {
        self.phase = phase;
        self.since = at;
        self.reason = reason;
        self.changes += 1;
        self.window.clear();
    }
}

/// Admits a growing share of the calls, evenly: at 10 % the first of every ten.
#[derive(Debug, Clone)]
struct Admission {
    ramp: Ramp,
    /// Percent that the refused calls have saved up; a whole hundred admits one.
    saved: u32,
}

impl Admission {
    fn new(ramp: Ramp) -> Self {
        Self { ramp, saved: 99 }
    }

    fn admit(&mut self, now: Duration) -> Result<(), Refusal> {
        self.saved += self.ramp.percent(now);
        if self.saved < 100 {
            let retry_after = self.ramp.next_step_in(now);
            return Err(Refusal { retry_after, reason: "the breaker closed and admits a part of the calls" });
        }
        self.saved -= 100;
        Ok(())
    }
}
