//! All checks, in order.

use super::{Subject, append, durability, group, pause, read, sharing, topics};

/// Runs every check, the cheap ones first, and prints the name of each before it begins, so that a failure or a
/// hang has a name.
///
/// # Panics
/// With the reason, when the log breaks its contract.
pub async fn run_all(subject: &mut dyn Subject) {
    macro_rules! run {
        ($($room:ident::$check:ident),+ $(,)?) => {
            $(
                println!("{}", stringify!($check));
                $room::$check(subject).await;
            )+
        };
    }
    run!(
        topics::check_topics,
        topics::check_unknown,
        append::check_order_per_partition,
        append::check_key_chooses_partition,
        append::check_headers,
        append::check_empty_values_and_tombstones,
        append::check_large_payloads,
        append::check_concurrent_appends,
        read::check_seek_by_offset,
        read::check_seek_by_time,
        read::check_cursor_waits,
        read::check_cursor_out_of_range,
        group::check_first_start,
        group::check_commit_and_resume,
        group::check_reset,
        group::check_group_out_of_range,
        sharing::check_members_share,
        pause::check_pause_and_resume,
        pause::check_paused_member_stays,
        pause::check_notes,
        durability::check_compaction,
        durability::check_restart,
    );
}
