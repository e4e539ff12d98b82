//! The faults, one file each, numbered as in the table of scenarios.
//!
//! | number | fault | must hold |
//! | --- | --- | --- |
//! | 1 | a worker is killed every 10 s | nothing lost or stale, few duplicates, caught up within 60 s |
//! | 2 | a worker is stopped for twice the session timeout | nothing is overwritten by what it still held |
//! | 3 | the broker is killed | flowing again within 30 s of its return, nothing lost |
//! | 4 | the group's coordinator is black-holed for 60 s | commits only grow |
//! | 5 | MariaDB is killed, away for 60 s | timelines as fresh as before, caught up within 60 s |
//! | 6 | replies of MariaDB are dropped | nothing is counted twice |
//! | 7 | one node of Redis is stopped for 60 s | answers at most twice as slow, none fails for users of other nodes |
//! | 8 | one node of Redis loses all it has | one pass of reads brings 99.9 % of its lists back |
//! | 9 | both stores are away for 5 min | memory flat, no dead letters, everything stored afterwards |
//! | 10 | a switch is flipped every second while its store is down | the last value survives a restart |
//! | 11 | workers are killed that bring a backlog beside live traffic | every record of it, fresh ones hardly later than before |
//! | 13 | the disk is full | a clear error, nothing acknowledged that is not stored |
//! | 14 | one record in a thousand is poison | dead letters exact, one attempt each, throughput kept |
//! | 15 | the broker is away for 60 s under posts, the collector is killed meanwhile | all that was answered `202` is stored |

mod backfill_killed;
mod both_stores_down;
mod broker_killed;
mod collector_killed;
mod coordinator_black_holed;
pub(crate) mod disk_full;
mod mysql_killed;
mod node_stopped;
mod node_wiped;
mod poison;
mod replies_dropped;
mod switch_flipped;
mod worker_killed;
mod worker_stopped;

use super::outcome::Outcome;
use super::servers::Lab;

/// One of the scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    WorkerKilled,
    WorkerStopped,
    BrokerKilled,
    CoordinatorBlackHoled,
    MysqlKilled,
    RepliesDropped,
    NodeStopped,
    NodeWiped,
    BothStoresDown,
    SwitchFlipped,
    BackfillKilled,
    DiskFull,
    Poison,
    CollectorKilled,
}

impl Scenario {
    /// All, by number.
    pub(crate) const ALL: [Self; 14] = [
        Self::WorkerKilled,
        Self::WorkerStopped,
        Self::BrokerKilled,
        Self::CoordinatorBlackHoled,
        Self::MysqlKilled,
        Self::RepliesDropped,
        Self::NodeStopped,
        Self::NodeWiped,
        Self::BothStoresDown,
        Self::SwitchFlipped,
        Self::BackfillKilled,
        Self::DiskFull,
        Self::Poison,
        Self::CollectorKilled,
    ];

    /// Its number in the table of scenarios.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::WorkerKilled => 1,
            Self::WorkerStopped => 2,
            Self::BrokerKilled => 3,
            Self::CoordinatorBlackHoled => 4,
            Self::MysqlKilled => 5,
            Self::RepliesDropped => 6,
            Self::NodeStopped => 7,
            Self::NodeWiped => 8,
            Self::BothStoresDown => 9,
            Self::SwitchFlipped => 10,
            Self::BackfillKilled => 11,
            Self::DiskFull => 13,
            Self::Poison => 14,
            Self::CollectorKilled => 15,
        }
    }

    /// What a filter of `cargo test` is compared with.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WorkerKilled => "chaos_01_a_worker_is_killed_again_and_again",
            Self::WorkerStopped => "chaos_02_a_worker_is_stopped_and_comes_back",
            Self::BrokerKilled => "chaos_03_the_broker_is_killed_again_and_again",
            Self::CoordinatorBlackHoled => "chaos_04_the_coordinator_is_black_holed",
            Self::MysqlKilled => "chaos_05_mysql_is_killed_and_comes_back",
            Self::RepliesDropped => "chaos_06_replies_of_mysql_are_dropped",
            Self::NodeStopped => "chaos_07_a_node_of_redis_is_stopped",
            Self::NodeWiped => "chaos_08_a_node_of_redis_is_wiped",
            Self::BothStoresDown => "chaos_09_both_stores_are_down",
            Self::SwitchFlipped => "chaos_10_a_switch_is_flipped_every_second",
            Self::BackfillKilled => "chaos_11_a_backlog_is_brought_by_workers_that_are_killed",
            Self::DiskFull => "chaos_13_the_disk_is_full",
            Self::Poison => "chaos_14_one_record_in_a_thousand_is_poison",
            Self::CollectorKilled => "chaos_15_the_collector_is_killed_while_the_broker_is_away",
        }
    }

    pub(crate) async fn run(self, lab: &mut Lab) -> Outcome {
        match self {
            Self::WorkerKilled => worker_killed::run(lab).await,
            Self::WorkerStopped => worker_stopped::run(lab).await,
            Self::BrokerKilled => broker_killed::run(lab).await,
            Self::CoordinatorBlackHoled => coordinator_black_holed::run(lab).await,
            Self::MysqlKilled => mysql_killed::run(lab).await,
            Self::RepliesDropped => replies_dropped::run(lab).await,
            Self::NodeStopped => node_stopped::run(lab).await,
            Self::NodeWiped => node_wiped::run(lab).await,
            Self::BothStoresDown => both_stores_down::run(lab).await,
            Self::SwitchFlipped => switch_flipped::run(lab).await,
            Self::BackfillKilled => backfill_killed::run(lab).await,
            Self::DiskFull => disk_full::run(lab).await,
            Self::Poison => poison::run(lab).await,
            Self::CollectorKilled => collector_killed::run(lab).await,
        }
    }
}
