//! The operator's side: what a command line, or a test, calls.

mod answers;
mod audit;
mod operator;
mod standing;

pub use answers::{Answers, Changed, WorkerAnswer};
pub use audit::AuditRecord;
pub use operator::Operator;
pub use standing::{KeyState, Planned, WorkerStanding};
