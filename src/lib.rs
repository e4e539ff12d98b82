//! Storm-style stream processing: typed topologies as Rust binaries, and what surrounds them in operation.
//!
//! A *topology* is a graph of [spouts](Spout) and [bolts](Bolt) that ends in [sinks](Sink). It runs embedded, with
//! nothing installed, or on Kafka, Redis and MySQL by configuration, and is scaled by starting more processes.
//!
//! ```
//! use squall::testing::{Capture, Trial, values};
//! use squall::{Bolt, Emitter, Result, Topology};
//!
//! #[derive(Clone)]
//! struct Words;
//!
//! impl Bolt for Words {
//!     type In = &'static str;
//!     type Out = String;
//!     async fn execute(&mut self, line: &&'static str, out: &mut Emitter<String>) -> Result<()> {
//!         line.split(' ').for_each(|word| out.emit(word.to_owned()));
//!         Ok(())
//!     }
//! }
//!
//! let words = Capture::default();
//! let t = Topology::new("words");
//! t.spout("lines", values(["to be", "or not to be"]))
//!     .shuffle()
//!     .parallelism(2)
//!     .bolt("split", Words)
//!     .fields(|word| word)
//!     .parallelism(4)
//!     .sink("words", words.clone());
//! assert_eq!(Trial::default().run(t).exit_code(), 0);
//! assert_eq!(words.sorted(), ["be", "be", "not", "or", "to", "to"]);
//! ```
//!
//! # The rooms
//!
//! | room | what it is for |
//! | --- | --- |
//! | [`topology`] | the vocabulary: pure, no clock, no input or output |
//! | [`runtime`] | runs a topology inside one process |
//! | [`broker`] | the durable log, embedded and on Kafka; the spout and the sink over it |
//! | [`store`] | timelines and versioned rows, embedded and on servers |
//! | [`guard`] | breaker, switch, pressure gauge, rates, back-off: pure state machines |
//! | [`delivery`] | what surrounds a sink: retry levels, dead letters, switch, breaker, time-out, and the topology that brings records back |
//! | [`control`] | what an operator changes while a topology runs |
//! | [`service`] | the command line, configuration, signals, the live view; services over HTTP |
//! | [`testing`] | trials on paused time, scripted faults, conformance suites, real servers for tests |
//!
//! Dependencies flow one way, `topology` ← `runtime`, `broker`, `store`, `guard` ← `delivery`,
//! `control` ← `service`; `tests/layering.rs` holds it.
//!
//! # Invariants
//!
//! Each with the test that holds it. The numbers are those of the architecture.
//!
//! 1. A commit never passes a tuple that is not settled.
//!    (`runtime::tracker::tests::it_agrees_with_the_rule`, `broker::spout::tests`)
//! 2. A tuple settles only when every sink has stored it, or a retry or dead-letter record of it is durable.
//!    (`runtime::tests::failures::random_faults_lose_nothing`,
//!    `delivery::tests::schedules::the_input_is_stored_or_dead_or_waiting_under_any_schedule`,
//!    `system::embedded::a_worker_killed_again_and_again_…`)
//! 3. An unresolved share that is dropped fails its tree.
//!    (`topology::tests`, `tests/loom`)
//! 4. Every store write is idempotent and guarded by a version. (the conformance suites of
//!    [`testing::store`], against memory, SQLite, Redis and MariaDB)
//! 5. Tuples of one key are written in order while they succeed.
//!    (`runtime::tests::shapes::fields_keeps_a_key_on_one_task_in_order`)
//! 6. Every queue, batch, pool, wait and retry is bounded, by a number in the configuration.
//!    (`runtime::tests::delivery::pending_runs_are_bounded`, `broker::embedded::tests::limits`,
//!    `broker::embedded::remote::tests::bounds`, `kafka_broker`)
//! 7. The thread that polls Kafka never waits for a store. (`kafka_broker`: a consumer that nobody polls stays a member)
//! 8. On revocation: drain to a deadline, commit, release; acks of an old assignment are ignored.
//!    (`broker::spout::tests`, `kafka_broker`, `system::cluster::clean_stops_leave_no_duplicates`)
//! 9. A switch that is on parks data durably; it never drops, and it never acknowledges what is not parked.
//!    (`delivery::tests::routes::a_sink_that_is_switched_off_is_not_touched_and_its_rows_are_parked` and
//!    `a_log_that_cannot_take_them_fails_the_write_and_nothing_is_acknowledged`, `schedules` there)
//! 10. The switches work while Redis, MySQL or both are down, and survive a restart of everything.
//!     (`control::tests::away::switches_survive_a_restart_of_everything_with_the_log_away`)
//! 11. A backfill writes exactly its range, ends by itself, resumes after a crash, and stays within its budget.
//!     (`control::backfill::tests::schedules`, `control::backfill::tests::life`, `control::backfill::tests::fold`,
//!     `control::backfill::tests::budget`)
//! 12. Skipping ahead records the skipped range before the cursor moves.
//!     (`control::backfill::tests::skips::who_asks_for_a_skip_may_die_at_any_write`,
//!     `control::backfill::tests::skips::who_is_moved_by_a_skip_may_die_at_any_write`)
//! 13. A retry is never early, never blocks fresh data, never runs for ever. (`delivery::tests::schedules`,
//!     `delivery::tests::gates::retries_beside_fresh_rows_have_a_fifth_of_the_writes`,
//!     `delivery::tests::routes::what_fails_again_climbs_the_levels_and_ends_as_a_dead_letter`)
//! 14. `202` from the collector means durable.
//!     (`service::spill::tests::kill`, `service::spill::tests::outages::nothing_promised_is_lost_under_any_schedule`,
//!     `system::collector::every_id_that_was_accepted_is_in_the_topic_after_the_broker_died`)
//! 15. For any record, squall can say where it is: stored, in flight, in a retry level, dead, skipped, or missing.
//!     (`service::verify::tests::verdicts::every_record_has_the_verdict_that_its_traces_demand`,
//!     `service::verify::tests::races`, `system::verify`,
//!     `system::cluster::verify_beside_a_worker_finds_nothing_missing_but_what_was_taken_away`)
//! 16. Secrets never reach a log, a metric or an error.
//!     (`system::bad_input::an_unreachable_server_is_one_line_with_address_and_remedy`)

pub mod broker;
pub mod control;
pub mod delivery;
pub mod guard;
pub mod runtime;
pub mod service;
pub mod store;
pub mod testing;
pub mod topology;

pub use topology::*;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
