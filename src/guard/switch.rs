//! The position of a switch, and who hears of a change.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The position of a switch that takes a store out of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The store is in the path.
    #[default]
    Off,
    /// The store is out of the path; what is for it is parked.
    On,
    /// [`AutoSwitch`](super::AutoSwitch) decides.
    Auto,
}

impl Mode {
    /// The word used on the command line, in control records and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Off => "off",
            Mode::On => "on",
            Mode::Auto => "auto",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is no position of a switch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no position of a switch: use `off`, `on` or `auto`")]
pub struct UnknownMode(String);

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Mode::Off, Mode::On, Mode::Auto]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| UnknownMode(text.to_owned()))
    }
}

/// A handle of a switch. All clones are of the same switch: one sets it, all hear of it.
#[derive(Debug, Clone)]
pub struct Switch {
    position: watch::Sender<Mode>,
    seen: watch::Receiver<Mode>,
}

impl Switch {
    /// A switch of its own, in a position.
    pub fn new(mode: Mode) -> Self {
        let (position, seen) = watch::channel(mode);
        Self { position, seen }
    }

    /// The position now: one uncontended read, for use on every write.
    pub fn mode(&self) -> Mode {
        *self.seen.borrow()
    }

    /// Brings it into a position, and tells whether it was in another one. The same position again wakes nobody.
    pub fn set(&self, mode: Mode) -> bool {
        self.position.send_if_modified(|position| std::mem::replace(position, mode) != mode)
    }

    /// Resolves when the switch was set to another position since this handle last waited, with the position it has
    /// then; positions between are not told. A clone starts from what its original has heard. Cancel-safe.
    pub async fn changed(&mut self) -> Mode {
        self.seen.changed().await.expect("this handle itself keeps the sender alive");
        *self.seen.borrow_and_update()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_one_word_everywhere() {
        for mode in [Mode::Off, Mode::On, Mode::Auto] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
            let json = serde_json::to_string(&mode).unwrap();
            assert_eq!(json, format!("\"{mode}\""));
            assert_eq!(serde_json::from_str::<Mode>(&json).unwrap(), mode);
        }
        let error = "On".parse::<Mode>().unwrap_err();
        assert_eq!(error.to_string(), "`On` is no position of a switch: use `off`, `on` or `auto`");
    }

    #[tokio::test]
    async fn every_handle_hears_a_change_once() {
        let switch = Switch::new(Mode::Off);
        let (mut first, mut second) = (switch.clone(), switch.clone());
        let waiting = tokio::spawn(async move { first.changed().await });
        assert!(switch.set(Mode::On));
        assert!(!switch.set(Mode::On), "the same again is no change");
        assert_eq!(waiting.await.unwrap(), Mode::On);
        assert_eq!((second.mode(), second.changed().await), (Mode::On, Mode::On));
        tokio::select! {
            biased;
            mode = second.changed() => panic!("heard {mode} twice"),
            () = tokio::task::yield_now() => {}
        }
        switch.set(Mode::Auto);
        switch.set(Mode::Off);
        assert_eq!(second.changed().await, Mode::Off);
    }
}
