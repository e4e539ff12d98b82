//! How many requests a service takes: by app, by address, by interface, and as a whole.
//!
//! [`Limits`] is a layer round a router. A request is asked for in four dimensions, one after the other, each with a
//! limit of its own or none:
//!
//! | dimension | counts together | limit |
//! | --- | --- | --- |
//! | `app` | requests with keys of the same app; those without a key are one app together | `<service>.app` |
//! | `ip` | requests of the same [`Peer`](super::Peer): an IPv4 address, a network of IPv6 | `<service>.ip` |
//! | `route` | requests for the same interface, whatever its parameters | `<service>.route` |
//! | `service` | all requests | `<service>.service` |
//!
//! The first that refuses wins: the answer is `429` with `Retry-After` and a problem document that names the dimension
//! and its rate. A refused request uses up nothing: all dimensions but the last are only looked at first, and then
//! counted in from the last to the first. Only when others use up one of them in between, which takes nanoseconds, those
//! after it are used up for nothing; never is more let pass than a limit says.
//!
//! A request whose key is refused counts for its address alone, where [`Limits::keys`] looks at the keys: so nobody guesses
//! at keys faster than he may ask, as far as `ip` is limited. Where keys are required it should be; a
//! [`Service`](super::Service) that starts without says so in the log.
//!
//! What is counted are requests, whatever they ask for: a body of a thousand records and a question for a hundred users
//! are one each. `/healthz`, `/readyz`, `/metrics`, and where pages of other origins may call the preflights of their
//! browsers, pass no limit.
//!
//! The limits have the names above among the control records, where an operator changes them while the service runs.

mod dimension;
mod layer;
mod limits;
mod settings;
#[cfg(test)]
mod tests;

pub use dimension::{Dimension, Reached};
pub use layer::Guarded;
pub use limits::{Caller, Limits};
pub use settings::LimitSettings;
