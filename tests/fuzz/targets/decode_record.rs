//! Any bytes, as a record of each format: what decodes keeps the rules and comes back from its own JSON unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use user_behaviour::format::{BehaviourJson, Format, TaobaoCsv};
use user_behaviour::record::Decoded;

/// Far enough ahead that no time is in the future.
const NOW_MS: i64 = 1 << 53;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = TaobaoCsv.decode(1, bytes) {
        // Whether it keeps the rules is said by what checks it.
        let _checked = Decoded::new(record, NOW_MS);
    }
    let Ok(record) = BehaviourJson.decode(1, bytes) else { return };
    let Ok(decoded) = Decoded::new(record, NOW_MS) else { return };
    let again = BehaviourJson.decode(1, decoded.body().as_bytes()).expect("its own JSON decodes");
    assert_eq!(again, *decoded.record());
});
