//! Is every row there, in its newest version, and no other?

use std::collections::HashMap;
use std::path::Path;

use user_behaviour::open::open_rows;
use user_behaviour::schema::from_values;
use user_behaviour::settings::Config;

use super::Verdict;
use super::demand::{content, key};
use super::waiting::Waiting;

/// `demand` holds the newest version and its content, by key.
pub(super) async fn check(
    config: &Config,
    data_dir: &Path,
    mut demand: HashMap<u128, (i64, u64)>,
    waiting: &Waiting,
    verdict: &mut Verdict,
) {
    let rows = open_rows(config, data_dir).await.unwrap();
    rows.check_schema().await.unwrap();
    let mut page = rows.scan(None, 5000).await.unwrap();
    while let Some(last) = page.last() {
        let after: Vec<_> = last[..2].iter().map(squall::store::row::Value::as_cell).collect();
        let next = rows.scan(Some(&after), 5000).await.unwrap();
        for row in &page {
            let record = from_values(row).unwrap();
            match demand.remove(&key(&record)) {
                None => verdict.extra_rows += 1,
                Some(expected) => {
                    verdict.stale_rows += u64::from(expected != (record.occurred_at, content(&record)));
                }
            }
        }
        page = next;
    }
    verdict.missing_rows = demand.len() as u64;
    verdict.waiting_rows = demand.keys().filter(|key| waiting.rows.contains(key)).count() as u64;
}
