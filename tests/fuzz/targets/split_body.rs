//! Any bytes, as a body of records: never more than allowed, each a part of the body, in order; and of an array that is
//! JSON exactly its elements.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use user_behaviour::collector::split::{Framing, split};

const MAX: usize = 50;

fuzz_target!(|bytes: &[u8]| {
    for framing in [Framing::Json, Framing::Lines] {
        let Ok(records) = split(bytes, framing, MAX) else { continue };
        assert!((1..=MAX).contains(&records.len()));
        let mut at = bytes.as_ptr() as usize;
        for record in &records {
            let begin = record.as_ptr() as usize;
            assert!(begin >= at, "records stand in their order and do not overlap");
            at = begin + record.len();
        }
        assert!(at <= bytes.as_ptr() as usize + bytes.len());
        if framing == Framing::Json
            && let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(bytes)
        {
            let elements: Vec<_> = elements.iter().map(|element| element.get().as_bytes()).collect();
            assert_eq!(records, elements);
        }
    }
});
