//! What surrounds the routes of every service.
//!
//! [`Shell`] says what stands where; one file for each part.

mod access;
mod account;
mod answers;
mod body;
mod forwarded;
mod ops;
#[allow(clippy::module_inception, reason = "the room is named after what it holds")]
mod shell;
mod timing;

pub use account::REQUEST_ID;
pub use ops::operations;
pub use shell::Shell;
pub use timing::REQUEST_TIMEOUT;
