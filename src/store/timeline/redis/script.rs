//! The scripts, with the limits written in front of them: a call does not carry them.

use redis::{Cmd, Script};

use super::super::entry::{Bounds, DAY_MS};

/// What `EXPIREAT` is bounded to: 100 years.
const MAX_TTL_S: i64 = 100 * 365 * 86_400;

/// A script and its name on the server.
#[derive(Debug)]
pub(super) struct Loaded {
    text: String,
    script: Script,
}

impl Loaded {
    /// Adds and trims.
    pub(super) fn apply(bounds: &Bounds) -> Self {
        let span_ms = bounds.max_age_ms.max((bounds.count_days + 1).saturating_mul(DAY_MS));
        let span = (span_ms / 1000 + 1).min(MAX_TTL_S);
        let refresh = span / 8 + 1;
        let Bounds { keep, max_age_ms, count_days } = bounds;
        // A sorted set holds less than 2^32 members; a larger bound keeps all of them.
        let keep = u32::try_from(*keep).unwrap_or(u32::MAX);
        Self::new(format!(
            "local KEEP, MAX_AGE, COUNT_DAYS, TTL, REFRESH = {keep}, {max_age_ms}, {count_days}, {}, {refresh}\n{}",
            span + refresh,
            include_str!("apply.lua"),
        ))
    }

    /// Reads a timeline.
    pub(super) fn read() -> Self {
        Self::new(include_str!("read.lua").to_owned())
    }

    /// Takes a step of a repair.
    pub(super) fn repair() -> Self {
        Self::new(include_str!("repair.lua").to_owned())
    }

    fn new(text: String) -> Self {
        Self { script: Script::new(&text), text }
    }

    /// The command that makes it known to the server.
    pub(super) fn load(&self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(&self.text);
        command
    }

    /// A call for the owner whose profile has the key `base`.
    pub(super) fn call(&self, base: &str) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.script.get_hash()).arg(b"1").arg(base);
        command
    }
}
