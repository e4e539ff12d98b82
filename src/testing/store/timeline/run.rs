//! All checks, in order.

use super::super::seed;
use super::{Subject, concurrent, order, read, refuse, restart, rules};

/// Runs every check, and prints its seed, and the name of each before it begins.
///
/// # Panics
/// With the reason, when the store breaks its contract.
pub async fn run_all(subject: &mut dyn Subject) {
    macro_rules! run {
        ($($room:ident::$check:ident($($seed:expr)?)),+ $(,)?) => {
            $(
                println!("{}", stringify!($check));
                $room::$check(subject, $($seed)?).await;
            )+
        };
    }
    let seed = seed();
    println!("timelines, seed {seed}");
    run!(
        read::check_empty(),
        read::check_limits_of_reads(),
        read::check_long_timelines(),
        read::check_merged_order(),
        read::check_bodies(),
        read::check_repairs(),
        refuse::check_bad_entries(),
        rules::check_trimmed_stays_out(),
        rules::check_equal_replaces(),
        rules::check_counts(),
        order::check_small(seed),
        order::check_any_order(seed),
        concurrent::check_concurrent_writers(seed),
        restart::check_restart(seed),
    );
}
