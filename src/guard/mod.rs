//! What decides when a call may go, when a switch flips and how much of a thing may pass: small state machines.
//!
//! They are pure: time comes in as `now`, a [`Duration`](std::time::Duration) since any fixed moment, so a test steps
//! through minutes at once and the same calls always give the same answers. A `now` that runs behind the latest one
//! counts as the latest, so callers may read the clock before they take a lock. Nothing here waits, logs or allocates
//! by load; every memory has its bound in the settings.
//!
//! | part | decides |
//! | --- | --- |
//! | [`Breaker`], [`SharedBreaker`] | whether a call to a store is worth trying |
//! | [`Switch`], [`Mode`] | nothing: it is the position that an operator or [`AutoSwitch`] gave it |
//! | [`AutoSwitch`] | when a switch in `auto` takes a store out of the path, and when it comes back |
//! | [`AutoSkip`] | when a spout that is too far behind skips ahead |
//! | [`Pressure`] | how far to slow down for a store under load |
//! | [`Rate`] | how many may pass in a time |
//! | [`limit`] | how many calls may pass in a time, for one thing or for each of many |
//! | [`Share`] | how many retries may go beside fresh rows |
//! | [`Ramp`] | which share of the load a store that came back gets |
//! | [`Levels`] | where a retry waits, how long, and when it is the last |
//! | [`LoopGuard`] | whether dead letters that are sent back die again |
//! | [`Clock`] | what `now` is, in a process and on paused time |

mod auto_skip;
mod auto_switch;
mod backoff;
mod breaker;
mod calendar;
mod clock;
pub mod limit;
mod loop_guard;
mod pressure;
mod ramp;
mod rate;
mod refused;
mod share;
mod switch;
mod sync;
#[cfg(test)]
mod tests;
mod watched;

pub use auto_skip::{AutoSkip, AutoSkipSettings};
pub use auto_switch::{AutoSwitch, AutoSwitchSettings, Flip, Reading};
pub use backoff::{BackoffSettings, Levels};
pub use breaker::{
    Breaker, BreakerSettings, BreakerState, BreakerStatus, Permit, Refusal, SharedBreaker, SharedPermit, Verdict,
};
pub(crate) use calendar::Civil;
pub use clock::Clock;
pub use limit::{Direct, Exceeded, Keyed, KeyedSettings, Limit, LiveLimit, UnknownLimit};
pub use loop_guard::{LoopGuard, LoopGuardSettings, Looped};
pub use pressure::{Level, Load, Pressure, PressureSettings};
pub use ramp::Ramp;
pub use rate::Rate;
pub use share::{Share, ShareSettings};
pub use switch::{Mode, Switch, UnknownMode};
pub use watched::WatchedPermit;
