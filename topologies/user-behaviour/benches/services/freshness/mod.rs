//! Two billion records a day, posted in batches, and how soon the query service shows them: all roles in one process.

mod measure;
mod stream;
mod watch;

pub(crate) use measure::run;
