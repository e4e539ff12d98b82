//! The operator's side: what a command line, or a test, calls.

mod answers;
mod audit;
mod lag;
mod operator;
mod seek;
mod standing;

pub use answers::{Answers, Changed, WorkerAnswer};
pub use audit::AuditRecord;
pub use lag::PartitionLag;
pub use operator::Operator;
pub use seek::{PlannedMove, SeekAnswers, SeekPlan, SeekTo, Seeking, SpoutSource};
pub use standing::{KeyState, Planned, WorkerStanding};
