//! Are the dead letters exactly those that the log demands?

use std::collections::{BTreeMap, BTreeSet};

use squall::broker::dead_letter::{ATTEMPTS, ORIGIN_OFFSET, ORIGIN_PARTITION, ORIGIN_TOPIC};
use squall::broker::{Broker, LogRecord};
use user_behaviour::settings::Config;

use super::demand::bytes_of;
use super::{Verdict, walk};

/// `undecodable` holds the bytes of each record that demands a letter, by its place.
pub(super) async fn check(
    broker: &dyn Broker,
    config: &Config,
    undecodable: BTreeMap<(u32, u64), u64>,
    verdict: &mut Verdict,
) {
    let (mut origins, mut letters) = (BTreeSet::new(), 0);
    walk(broker, &config.source.dead_letters, |letter| {
        assert_eq!(header(letter, ORIGIN_TOPIC), config.source.topic);
        let partition = header(letter, ORIGIN_PARTITION).parse().unwrap();
        let origin = (partition, header(letter, ORIGIN_OFFSET).parse().unwrap());
        origins.insert(origin);
        letters += 1;
        let right = undecodable.get(&origin) == Some(&bytes_of(letter.value.as_deref()));
        verdict.wrong_letters += u64::from(!right);
        verdict.retried_letters += u64::from(header(letter, ATTEMPTS) != "1");
    })
    .await;
    verdict.dead_letters = origins.len() as u64;
    verdict.repeated_letters = letters - verdict.dead_letters;
}

fn header(letter: &LogRecord, name: &str) -> String {
    String::from_utf8(letter.headers.last(name).unwrap().to_vec()).unwrap()
}
