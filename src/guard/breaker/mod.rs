//! The circuit breaker: stops calling what fails, and finds out when it works again.
//!
//! ```text
//!            too many calls fail or are slow            open_for is over
//!   closed ──────────────────────────────────▶ open ─────────────────────▶ half-open
//!     ▲                                          ▲                           │   │
//!     │                                          └── a probe fails or hangs ─┘   │
//!     └── enough probes succeed; then 10 %, 50 %, all of the calls are admitted ─┘
//! ```
//!
//! One breaker guards one store node. Time alone moves it from open to half-open, ends probes that hang and lifts the
//! ramp, at the moments that the settings say, however often it is asked.
//!
//! Own code, since breakers in crates let any number of calls go while half-open: here as many probes go as there are slots,
//! and one that hangs ends. The time is a parameter, so that a model and loom can look at all of it.

mod call;
mod machine;
mod settings;
mod shared;
mod window;

pub use call::{BreakerState, BreakerStatus, Permit, Refusal, Verdict};
pub use machine::Breaker;
pub use settings::BreakerSettings;
pub use shared::{SharedBreaker, SharedPermit};
