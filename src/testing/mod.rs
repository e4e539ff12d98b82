//! For tests, of squall and of topologies built with it.
//!
//! A bolt's unit test needs no runtime: call `execute` with an [`Emitter`](crate::Emitter) of your own. A whole topology
//! runs in process on paused time with a [`Trial`]: inputs from [`values`] or [`numbers`], outputs in a [`Capture`],
//! failures by [`Faults`], and a seed that replays. Against real [`servers`], which can be killed and frozen, a
//! [`FaultProxy`] makes the network fail.
//!
//! ```
//! use squall::testing::{Capture, Faults, Trial, values};
//! use squall::{Class, Topology};
//!
//! let upper = Capture::default();
//! let t = Topology::new("upper");
//! t.spout("words", values(["a", "b", "c"])).map(|w| w.to_uppercase()).shuffle().sink("upper", upper.clone());
//!
//! let faults = Faults::default().fail("upper", |w: &String| w == "B", Class::Retryable, 2);
//! let report = Trial::default().faults(faults).run(t);
//! assert_eq!(report.exit_code(), 0);
//! assert_eq!(upper.sorted(), ["A", "B", "C"]);
//! ```

pub mod broker;
mod capture;
mod faults;
pub mod proxy;
pub mod servers;
mod spouts;
pub mod store;
mod trial;

pub use capture::Capture;
pub use faults::Faults;
pub use proxy::{Fault, FaultProxy};
pub use spouts::{Values, numbers, values};
pub use trial::Trial;

#[cfg(test)]
mod lines;
#[cfg(test)]
pub(crate) use lines::Lines;
