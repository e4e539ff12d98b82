//! All checks, in order.

use super::super::seed;
use super::{Subject, concurrent, guard, newest, order, read, refuse, restart, schema};

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
    println!("rows, seed {seed}");
    run!(
        schema::check_migrations(),
        read::check_keys_are_bytes(),
        read::check_values(),
        read::check_scan(),
        read::check_find_many(seed),
        newest::check_newest(seed),
        newest::check_newest_beside_writers(seed),
        guard::check_version_guard(),
        guard::check_duplicates_in_a_batch(),
        refuse::check_bad_rows(),
        refuse::check_refused_by_the_server(seed),
        order::check_small(seed),
        order::check_any_order(seed),
        concurrent::check_hot_keys(seed),
        restart::check_restart(seed),
    );
}
