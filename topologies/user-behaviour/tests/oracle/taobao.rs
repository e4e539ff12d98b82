//! The real data set, decoded and compared record by record.

use user_behaviour::format::{Format, TaobaoCsv};
use user_behaviour::schema;

use super::data::{generated, taobao_lines};
use super::oracle::Oracle;
use super::records::{decoded, fields_of_body, fields_of_row, rows_of};

fn compare(lines: &[String]) {
    let mut oracle = Oracle::default();
    let mut records = Vec::new();
    for line in lines {
        let decoded = decoded(&TaobaoCsv, line.as_bytes());
        let expected = oracle.taobao(line, &decoded.record().event_id);
        assert_eq!(fields_of_row(&decoded), expected, "{line}");

        let entry = schema::entry(&decoded);
        assert_eq!(entry.owner, expected.user_id);
        assert_eq!(entry.line, expected.business);
        assert_eq!(entry.action, expected.action);
        assert_eq!((entry.at_ms, entry.id), (expected.occurred_at, &*expected.event_id));
        assert_eq!(fields_of_body(entry.body), expected, "{line}");

        let mut encoded = Vec::new();
        TaobaoCsv.encode(decoded.record(), &mut encoded).unwrap();
        assert_eq!(encoded, line.as_bytes());
        records.push(decoded);
    }
    let distinct: std::collections::HashSet<_> = lines.iter().collect();
    let rows = rows_of(&records);
    assert_eq!(rows.len(), distinct.len(), "one row for each distinct line");
    assert_eq!(rows, oracle.rows());
}

#[test]
fn the_taobao_data_set_decodes_to_what_the_oracle_says() {
    let lines = taobao_lines();
    assert_eq!(lines.len(), 6000);
    compare(&lines);
}

#[test]
fn generated_taobao_lines_decode_to_what_the_oracle_says() {
    let lines = generated(2000);
    assert!(lines.windows(2).any(|pair| pair[0] == pair[1]), "the same behaviour twice is part of the shape");
    compare(&lines);
}
