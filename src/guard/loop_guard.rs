//! Whether what is sent back dies again.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// When a redrive is a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopGuardSettings {
    /// Records that are judged together: those sent one after the other.
    pub window: u32,
    /// Records that a window has before it is judged.
    pub least: u32,
}

impl Default for LoopGuardSettings {
    /// Windows of 50, judged from 20 records on.
    fn default() -> Self {
        Self { window: 50, least: 20 }
    }
}

/// Says that more than half of a window of the records that were sent back have died again.
///
/// The records are judged in windows of those that were sent one after the other, however late they come back: a long
/// way through the retry levels hides nothing. Its memory is a key and a number for each record.
#[derive(Debug, Clone)]
pub struct LoopGuard<K> {
    settings: LoopGuardSettings,
    /// By key: the windows in which it was sent and has not come back, oldest first.
    out: HashMap<K, VecDeque<u32>>,
    /// By window: how many came back.
    dead: Vec<u32>,
    sent: u64,
    returned: u64,
    looped: Option<Looped>,
}

/// A window of records most of which died again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looped {
    /// How many of them came back as dead letters.
    pub returned: u32,
    /// How many they were when it was seen.
    pub of: u32,
}

impl<K: Hash + Eq> LoopGuard<K> {
    /// A guard that has seen nothing.
    pub fn new(settings: LoopGuardSettings) -> Self {
        let settings = LoopGuardSettings { window: settings.window.max(1), ..settings };
        Self { settings, out: HashMap::new(), dead: Vec::new(), sent: 0, returned: 0, looped: None }
    }

    /// A record was sent back.
    pub fn sent(&mut self, key: K) {
        let window = u32::try_from(self.sent / u64::from(self.settings.window)).unwrap_or(u32::MAX);
        self.sent += 1;
        self.dead.resize(window as usize + 1, 0);
        self.out.entry(key).or_default().push_back(window);
        self.judge(window);
    }

    /// A dead letter came. Whether it is of a record that was sent back; each counts once.
    pub fn died(&mut self, key: &K) -> bool {
        let Some(window) = self.out.get_mut(key).and_then(VecDeque::pop_front) else { return false };
        self.returned += 1;
        self.dead[window as usize] += 1;
        self.judge(window);
        true
    }

    /// How many came back.
    pub fn returned(&self) -> u64 {
        self.returned
    }

    /// The first window that was found to be a loop; it stays.
    pub fn looped(&self) -> Option<Looped> {
        self.looped
    }

    fn judge(&mut self, window: u32) {
        let LoopGuardSettings { window: size, least } = self.settings;
        let sent = self.sent - u64::from(window) * u64::from(size);
        let of = u32::try_from(sent).map_or(size, |sent| sent.min(size));
        let returned = self.dead[window as usize];
        if self.looped.is_none() && of >= least && returned > of / 2 {
            self.looped = Some(Looped { returned, of });
        }
    }
}
