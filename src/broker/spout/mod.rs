//! The spout over a consumer group.
//!
//! What it promises: only contiguous watermarks are committed, on a timer; what fails is read from the log again and
//! replayed after a back-off; a partition that the group wants back is drained, committed and released; outcomes of an
//! old assignment are ignored.
//!
//! A run that fails comes again whole. When a tuple of it was poison it comes again record by record, each alone in
//! flight, so that no neighbour is blamed for it. A single record that is poison for certain is written to the
//! dead-letter topic and passed over; what fails more than [`LogSpoutSettings::max_replays`] times otherwise stops the
//! run with nothing past it committed.
//!
//! # Waiting
//!
//! Fresh records of a partition wait while something of it is to be replayed, while a [`Gate`] does not let them on,
//! and while another careful run of the process is under way. Waiting is a pause in the group: the partition stays the
//! member's and costs no memory, the others go on, a drain and a revocation do not wait for it, and a bounded run is not
//! at its end.
//!
//! # Going on elsewhere
//!
//! [`Seeks`] says where an operator wants a partition to go on. What the partition has in flight settles first, runs that
//! failed are given up, and then one commit holds both the new offset and the number of the seek: a seek is applied
//! whole or not at all, and once, whoever has the partition when it is asked for and whoever dies on the way. For the
//! runtime the partition begins anew, in an epoch of its own.
//!
//! A partition whose next record the log has deleted waits for a seek, while the others go on, or goes on behind the gap
//! by its settings ([`OnGap`]), after the gap was kept.
//!
//! # Records that kill their worker
//!
//! A record that makes the process abort, or run out of memory, would come again with every start, for ever. What
//! survives a death is the commit, so each commit carries a [`Note`](crate::broker::Note) for whoever gets the partition
//! next:
//!
//! | found on assignment | means | the partition goes on |
//! | --- | --- | --- |
//! | `Clean`, or no commit | given back in order | as usual |
//! | `Open` | the owner died | *batchwise*: each run alone in flight, after a commit of its start that says `Batchwise` |
//! | `Batchwise` | it died with that run alone in flight | *singly*: each record alone in flight, after a commit that says `Singly`, for one run |
//! | `Singly` | it died with that record alone in flight | singly, with one death more on that record's account |
//!
//! With [`max_deaths`](LogSpoutSettings::max_deaths) the record is a dead letter, without being emitted once more.
//! Batchwise goes on for [`careful_records`](LogSpoutSettings::careful_records), and neither goes beyond what the
//! partition held at the assignment: nothing past it can have been in flight. So a killer costs a death at random, one
//! with its run, and `max_deaths` alone; one more for each `careful_records` between the last commit and itself.
//!
//! Nothing else of its task is in flight with a careful run, and no other careful run of the spout's tasks in this
//! process: they would take each other's deaths for their own. What is in order is said too: a partition that is
//! released, or lost because it did not drain in time, comes to its heir as it came to its owner, with no death added.
//!
//! **The trade.** The spout cannot tell a record that kills from a kill that hits a record. `kill -9`, a power cut or an
//! owner that was frozen and fenced blames a record only if that very record was alone in flight three times running,
//! over two deaths that made it suspect; a record takes milliseconds, so kills have to come that fast, or the record has
//! to take that long. Another spout of the same process that kills it may also be taken for a suspect's deed. What is set
//! aside wrongly is in the dead letters, whole. The price of a kill is that `careful_records` of each partition go out
//! with one commit for each run.

mod assigned;
mod care;
mod careful;
mod events;
mod failed;
mod gate;
mod holds;
mod log_spout;
mod phase;
mod replay;
mod seek;
mod settings;

#[cfg(test)]
mod tests;

pub(crate) use assigned::InFlight;
pub(crate) use gate::Gates;
pub use gate::{Admission, Gate};
pub(crate) use log_spout::Letters;
pub use log_spout::LogSpout;
pub(crate) use replay::{Replay, Replays};
pub use seek::{Gap, OnGap, Seek, Seeks};
pub use settings::LogSpoutSettings;
