//! The automatic position of a sink's switch.

use std::collections::VecDeque;
use std::time::Duration;

use crate::guard::{AutoSwitch, AutoSwitchSettings, Flip, Mode, Reading};

/// Flips that are kept until they are taken.
const FLIPS: usize = 16;

/// An automatic switch, and what it did.
#[derive(Debug)]
pub(super) struct Automatic {
    switch: AutoSwitch,
    /// The position that the switch had when it was last looked at.
    last: Mode,
    /// Flips that nobody has taken yet.
    flips: VecDeque<Flip>,
}

impl Automatic {
    pub(super) fn new(settings: AutoSwitchSettings, mode: Mode) -> Self {
        Self { switch: AutoSwitch::new(settings), last: mode, flips: VecDeque::new() }
    }

    /// Takes note of the switch's position: set to `auto` it goes on from where it was put by hand, and what was read
    /// before that counts for nothing.
    pub(super) fn positioned(&mut self, now: Duration, mode: Mode) {
        if mode == Mode::Auto && self.last != Mode::Auto {
            self.switch.adopt(now, self.last == Mode::On);
        }
        self.last = mode;
    }

    /// Takes a reading; whether the store of `sink` is out of the path.
    pub(super) fn observe(&mut self, sink: &str, now: Duration, reading: Reading) -> bool {
        if let Some(flip) = self.switch.observe(now, reading) {
            tracing::warn!(sink, on = flip.on, reason = flip.reason, "the automatic switch flipped");
            if self.flips.len() == FLIPS {
                self.flips.pop_front();
            }
            self.flips.push_back(flip);
        }
        self.switch.is_on()
    }

    /// Flips since the last call, oldest first.
    pub(super) fn take_flips(&mut self) -> Vec<Flip> {
        self.flips.drain(..).collect()
    }
}
