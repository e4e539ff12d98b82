use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Cell, ColumnType::*, Table, Value};
use super::{Row, padded, plan, split};

fn table() -> Table {
    Table::new("t").key("a", Text(2)).key("b", Int).version("v", Int).version("w", Text(2)).value("x", Bytes(3))
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        6 => (0_i64..3).prop_map(Value::Int),
        6 => "[aAé ]{0,2}".prop_map(Value::Text),
        6 => prop::collection::vec(0_u8..2, 0..5).prop_map(Value::Bytes),
    ]
}

fn row() -> impl Strategy<Value = Vec<Value>> {
    let good = ("[aA ]{0,2}", 0_i64..2, 0_i64..3, "[ab]{0,1}", prop::collection::vec(0_u8..2, 0..3)).prop_map(
        |(a, b, v, w, x)| vec![Value::Text(a), Value::Int(b), Value::Int(v), Value::Text(w), Value::Bytes(x)],
    );
    prop_oneof![5 => good, 1 => prop::collection::vec(value(), 5)]
}

fn is_good(row: &[Value]) -> bool {
    let text = |value: &Value| matches!(value, Value::Text(text) if text.len() <= 2);
    let int = |value: &Value| matches!(value, Value::Int(_));
    let bytes = |value: &Value| matches!(value, Value::Null) || matches!(value, Value::Bytes(b) if b.len() <= 3);
    text(&row[0]) && int(&row[1]) && int(&row[2]) && text(&row[3]) && bytes(&row[4])
}

proptest! {
    #[test]
    fn plans_as_a_map_would(rows in prop::collection::vec(row(), 0..24)) {
        let mut model: BTreeMap<(Value, Value), (Value, Value, usize)> = BTreeMap::new();
        let mut bad = vec![];
        for (index, row) in rows.iter().enumerate() {
            if !is_good(row) {
                bad.push(index);
                continue;
            }
            let new = (row[2].clone(), row[3].clone(), index);
            let slot = model.entry((row[0].clone(), row[1].clone())).or_insert_with(|| new.clone());
            if *slot <= new {
                *slot = new;
            }
        }
        let cells: Vec<Cell<'_>> = rows.iter().flatten().map(Value::as_cell).collect();
        let mut refused = vec![];
        let planned = plan("sqlite", &table(), &cells, 1 << 20, &mut refused).unwrap();
        let expected: Vec<usize> = model.into_values().map(|(_, _, index)| index).collect();
        prop_assert_eq!(planned.iter().map(|row| row.index).collect::<Vec<_>>(), expected);
        prop_assert_eq!(refused.iter().map(|(index, _)| *index).collect::<Vec<_>>(), bad);
    }

    #[test]
    fn splits_keep_every_row_within_both_bounds(
        sizes in prop::collection::vec(1_usize..50, 0..40),
        max_rows in 1_usize..9,
        max_bytes in 1_usize..90,
    ) {
        let rows: Vec<Row<'_>> =
            sizes.iter().enumerate().map(|(index, bytes)| Row { index, cells: &[], bytes: *bytes }).collect();
        let pieces: Vec<&[Row<'_>]> = split(&rows, max_rows, max_bytes).collect();
        prop_assert_eq!(&pieces.concat(), &rows);
        for pair in pieces.windows(2) {
            let bytes: usize = pair[0].iter().map(|row| row.bytes).sum();
            prop_assert!(!pair[0].is_empty() && pair[0].len() <= max_rows);
            prop_assert!(bytes <= max_bytes || pair[0].len() == 1);
            prop_assert!(pair[0].len() == max_rows || bytes + pair[1][0].bytes > max_bytes, "a piece is full");
        }
    }
}

#[test]
fn pads_by_a_quarter_at_most_to_few_sizes() {
    let sizes: std::collections::BTreeSet<usize> = (1..=512).map(padded).collect();
    assert!(sizes.len() <= 36, "{sizes:?}");
    for rows in 1..=4096 {
        assert!(padded(rows) >= rows && padded(rows) * 4 <= rows * 5, "{rows} -> {}", padded(rows));
    }
}

#[test]
fn refuses_cells_that_are_not_rows_and_rows_too_large() {
    let cells = [Cell::Text("a"), Cell::Int(1), Cell::Int(1), Cell::Text("w"), Cell::Bytes(b"xyz")];
    let mut refused = vec![];
    assert!(plan("sqlite", &table(), &cells[..4], 1 << 20, &mut refused).is_err());
    assert_eq!(plan("sqlite", &table(), &cells, 10, &mut refused).unwrap(), []);
    assert!(refused[0].1.to_string().contains("a statement may have 10"), "{refused:?}");
    assert_eq!(plan("sqlite", &table(), &cells, 1 << 20, &mut refused).unwrap(), [], "stays refused");
}
