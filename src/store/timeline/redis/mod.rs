//! Timelines in Redis 7.
//!
//! # Keys
//!
//! All keys of an owner share one hash tag, so that one script may touch them and a cluster keeps them together.
//! `}` and `%` in an owner are written as `%7D` and `%25`.
//!
//! | key | type | holds |
//! | --- | --- | --- |
//! | `<prefix>:{<owner>}` | hash | the profile, and the state that the rules need |
//! | `<prefix>:{<owner>}:t:<line>` | sorted set | ids of the timeline, scored by `at_ms` |
//! | `<prefix>:{<owner>}:b:<line>` | hash | their bodies, by id |
//! | `<prefix>:{<owner>}:s:<day>` | set | digests of what was counted on the day |
//!
//! # Expiry
//!
//! An owner that nothing is written for goes as a whole: all its keys expire at one instant, between `max_age` and
//! 9/8 of it after its last write by the server's clock (never sooner than the days that are counted, plus one).
//! The instant is moved on at most every 1/8 of that span, which keeps it out of nearly every write.
//!
//! # Whole owners
//!
//! The mark is a field of the profile, and holds for the run of the server in which it was set: a server that was started
//! again may have lost what it had not written to its disk, and one that was promoted what it had not been sent. The run is
//! asked for with `INFO server` on each connection; where a server does not tell, marks outlive restarts. All that share a
//! server must be told the same. A master that was demoted is started again before it is promoted once more: its marks are of
//! its run, whatever it was sent meanwhile.
//!
//! # Eviction
//!
//! Run the server with `noeviction`, or accept that evicted keys are lost: an entry whose body was evicted is left
//! out of what is read, and a timeline that was evicted without the profile leaves the mark of its owner standing.
//!
//! # Foreign keys
//!
//! What another program wrote under the prefix is the fault of that key alone: entries that need it are refused as
//! poison, all others of the batch are stored. Which entries these are shows when those of the key's owner are written
//! one by one, in a second round trip. Of a refused entry the keys that could be written stay written: it is whole when
//! it is written again after the key was removed. A failure of the server comes first: then nothing is refused.
//!
//! # Reads
//!
//! A timeline is read by one script, since that of all lines has to be merged where they are. What it costs is the server's
//! handing of texts to Lua and back, a score's most of all (Redis 7.0 prints each with 17 digits): so of several lines it reads
//! what the page needs if each has its part of it, and more of those that have more; and it answers in one text. With 20 of 110
//! entries in five lines a call took 0.13 to 0.14 ms of the server; 0.27 to 0.29 with `limit` entries of each line, a sort, a
//! command for each body and four values for each entry.
//!
//! # Writes
//!
//! A batch is one pipeline with one script call per owner and 256 entries. A script runs as a whole, so adding and
//! trimming are atomic per call. A connection that broke, or whose answer did not come in time, is discarded; the
//! next call opens another, unless the last attempt failed a moment ago: then it fails at once, with a bounded,
//! growing pause between attempts.

mod batch;
mod connection;
mod decode;
mod error;
mod key;
mod script;
mod settings;
mod store;
#[cfg(test)]
mod tests;

pub use settings::RedisSettings;
pub use store::RedisTimelines;
