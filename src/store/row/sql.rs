//! The SQL of a table, in the two dialects.
//!
//! Names were checked when the table was declared; values are always bound.

use std::fmt::Write;

use super::newest::Shape;
use super::{Column, Table};

/// Which server the SQL is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// MySQL 8 and MariaDB 10.11: only what both take.
    MySql,
    Sqlite,
}

/// Writes `rows` rows, each replacing an older or equal version of itself.
pub(super) fn upsert(dialect: Dialect, table: &Table, rows: usize) -> String {
    let row = format!("({})", list(table.columns(), |_| "?".to_owned()));
    let values = vec![row; rows].join(",");
    let columns = names(dialect, table.columns());
    let into = quote(dialect, table.name());
    let conflict = match dialect {
        Dialect::MySql => on_duplicate_key(table),
        Dialect::Sqlite => on_conflict(table),
    };
    format!("INSERT INTO {into} ({columns}) VALUES {values} {conflict}")
}

/// The row of a key.
pub(super) fn find(dialect: Dialect, table: &Table) -> String {
    let columns = names(dialect, table.columns());
    let mut sql = format!("SELECT {columns} FROM {}", quote(dialect, table.name()));
    for (at, key) in table.keys().iter().enumerate() {
        let word = if at == 0 { "WHERE" } else { "AND" };
        write!(sql, " {word} {} = ?", quote(dialect, &key.name)).expect("writing to a string cannot fail");
    }
    sql
}

/// The rows of `keys` keys.
///
/// The primary key is named: with other indexes beside it that begin alike, an optimiser looks into each of them for each key
/// before it begins, which takes twenty times as long as the answer (MariaDB 10.11, 400 keys: 37 ms and 1.8 ms).
pub(super) fn find_many(dialect: Dialect, table: &Table, keys: usize) -> String {
    let columns = names(dialect, table.columns());
    let from = quote(dialect, table.name());
    let key = format!("({})", list(table.keys(), |_| "?".to_owned()));
    let listed = vec![key; keys].join(",");
    // SQLite takes a list of rows only as a query.
    let (hint, values) = match dialect {
        Dialect::MySql => (" FORCE INDEX (PRIMARY)", ""),
        Dialect::Sqlite => ("", "VALUES "),
    };
    format!("SELECT {columns} FROM {from}{hint} WHERE ({}) IN ({values}{listed})", names(dialect, table.keys()))
}

/// Rows by key, after a key or from the start. Bound are the cells of [`range_bindings`], then the limit.
pub(super) fn scan(dialect: Dialect, table: &Table, after: bool) -> String {
    let columns = names(dialect, table.columns());
    let keys = names(dialect, table.keys());
    let from = quote(dialect, table.name());
    let condition = if after { format!(" WHERE {}", range(dialect, ">", table.keys())) } else { String::new() };
    format!("SELECT {columns} FROM {from}{condition} ORDER BY {keys} LIMIT ?")
}

/// The newest rows of an index. Bound are the cells of its equality columns, that of the further column, the cells of
/// [`range_bindings`], then the limit.
///
/// The index is named: an optimiser that believes in few rows would sort them, and a user with many would wait for it.
pub(super) fn newest(dialect: Dialect, table: &Table, shape: Shape) -> String {
    let index = &table.indexes()[shape.index];
    let of = |at: &usize| table.columns()[*at].clone();
    let order: Vec<Column> = index.order().iter().map(of).collect();
    let equal = index.equal().iter().chain(&shape.only);
    let mut conditions: Vec<String> =
        equal.map(|at| format!("{}=?", quote(dialect, &table.columns()[*at].name))).collect();
    if shape.before {
        conditions.push(range(dialect, "<", &order));
    }
    let (from, named) = (quote(dialect, table.name()), quote(dialect, index.name()));
    let hint = match dialect {
        Dialect::MySql => format!("FORCE INDEX ({named})"),
        Dialect::Sqlite => format!("INDEXED BY {named}"),
    };
    let newest_first = list(&order, |column| format!("{} DESC", quote(dialect, &column.name)));
    format!(
        "SELECT {} FROM {from} {hint} WHERE {} ORDER BY {newest_first} LIMIT ?",
        names(dialect, table.columns()),
        conditions.join(" AND ")
    )
}

/// Which cells of a place stand for the places of a [`range`], in order.
pub(super) fn range_bindings(dialect: Dialect, keys: usize) -> Vec<usize> {
    match dialect {
        Dialect::Sqlite => (0..keys).collect(),
        Dialect::MySql if keys == 1 => vec![0],
        Dialect::MySql => std::iter::once(0).chain((0..keys).flat_map(|key| [key, key])).take(2 * keys).collect(),
    }
}

/// The number of rows.
pub(super) fn count(dialect: Dialect, table: &Table) -> String {
    format!("SELECT COUNT(*) FROM {}", quote(dialect, table.name()))
}

/// Assignments run left to right and see what was assigned before: the version comes last, its least significant
/// column first. Then each guard still decides as the first one did.
fn on_duplicate_key(table: &Table) -> String {
    let guard = newer_or_equal(table.versions());
    let assign = |column: &Column| {
        let name = quote(Dialect::MySql, &column.name);
        match &guard {
            Some(guard) => format!("{name}=IF({guard},VALUES({name}),{name})"),
            None => format!("{name}=VALUES({name})"),
        }
    };
    let mut assigned: Vec<String> =
        table.values().iter().chain(table.versions().iter().rev()).map(assign).collect();
    if assigned.is_empty() {
        let key = quote(Dialect::MySql, &table.keys()[0].name);
        assigned.push(format!("{key}={key}"));
    }
    format!("ON DUPLICATE KEY UPDATE {}", assigned.join(","))
}

/// Column by column: `VALUES(a)>a OR (VALUES(a)=a AND VALUES(b)>=b)`.
fn newer_or_equal(versions: &[Column]) -> Option<String> {
    let (last, before) = versions.split_last()?;
    let name = quote(Dialect::MySql, &last.name);
    let mut guard = format!("VALUES({name})>={name}");
    for column in before.iter().rev() {
        let name = quote(Dialect::MySql, &column.name);
        guard = format!("VALUES({name})>{name} OR (VALUES({name})={name} AND ({guard}))");
    }
    Some(guard)
}

fn on_conflict(table: &Table) -> String {
    let keys = names(Dialect::Sqlite, table.keys());
    let others = [table.values(), table.versions()].concat();
    if others.is_empty() {
        return format!("ON CONFLICT ({keys}) DO NOTHING");
    }
    let excluded = |column: &Column| format!("excluded.{}", quote(Dialect::Sqlite, &column.name));
    let assigned =
        list(&others, |column| format!("{}={}", quote(Dialect::Sqlite, &column.name), excluded(column)));
    let sql = format!("ON CONFLICT ({keys}) DO UPDATE SET {assigned}");
    if table.versions().is_empty() {
        return sql;
    }
    let own = |column: &Column| {
        format!("{}.{}", quote(Dialect::Sqlite, table.name()), quote(Dialect::Sqlite, &column.name))
    };
    format!("{sql} WHERE ({})>=({})", list(table.versions(), excluded), list(table.versions(), own))
}

/// The columns stand after the bound place (`>`), or before it (`<`). MySQL finds its place in an index only by the first
/// column's own bound, not by a comparison of rows.
fn range(dialect: Dialect, than: &str, columns: &[Column]) -> String {
    if dialect == Dialect::Sqlite {
        return format!("({}){than}({})", names(dialect, columns), list(columns, |_| "?".to_owned()));
    }
    let (last, before) = columns.split_last().expect("a table that is scanned has a key");
    let mut condition = format!("{}{than}?", quote(dialect, &last.name));
    for column in before.iter().rev() {
        let name = quote(dialect, &column.name);
        condition = format!("{name}{than}? OR ({name}=? AND ({condition}))");
    }
    match before.first() {
        Some(first) => format!("{}{than}=? AND ({condition})", quote(dialect, &first.name)),
        None => condition,
    }
}

fn names(dialect: Dialect, columns: &[Column]) -> String {
    list(columns, |column| quote(dialect, &column.name))
}

fn list(columns: &[Column], text: impl Fn(&Column) -> String) -> String {
    columns.iter().map(text).collect::<Vec<_>>().join(",")
}

fn quote(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::MySql => format!("`{name}`"),
        Dialect::Sqlite => format!("\"{name}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ColumnType::*;
    use super::*;

    fn table() -> Table {
        let keyed = Table::new("t").key("a", Text(8)).key("b", Int);
        keyed.version("v", Int).version("w", Text(8)).value("x", Bytes(9))
    }

    #[test]
    fn mysql_assigns_the_version_last_and_backwards() {
        let newer = "VALUES(`v`)>`v` OR (VALUES(`v`)=`v` AND (VALUES(`w`)>=`w`))";
        assert_eq!(
            upsert(Dialect::MySql, &table(), 2),
            format!(
                "INSERT INTO `t` (`a`,`b`,`v`,`w`,`x`) VALUES (?,?,?,?,?),(?,?,?,?,?) ON DUPLICATE KEY UPDATE \
                 `x`=IF({newer},VALUES(`x`),`x`),`w`=IF({newer},VALUES(`w`),`w`),`v`=IF({newer},VALUES(`v`),`v`)"
            )
        );
    }

    #[test]
    fn sqlite_compares_versions_as_rows() {
        assert_eq!(
            upsert(Dialect::Sqlite, &table(), 1),
            "INSERT INTO \"t\" (\"a\",\"b\",\"v\",\"w\",\"x\") VALUES (?,?,?,?,?) ON CONFLICT (\"a\",\"b\") DO UPDATE \
             SET \"x\"=excluded.\"x\",\"v\"=excluded.\"v\",\"w\"=excluded.\"w\" \
             WHERE (excluded.\"v\",excluded.\"w\")>=(\"t\".\"v\",\"t\".\"w\")"
        );
    }

    #[test]
    fn tables_without_versions_or_values_have_sql_too() {
        let plain = Table::new("t").key("a", Int).value("x", Int);
        assert!(upsert(Dialect::MySql, &plain, 1).ends_with("UPDATE `x`=VALUES(`x`)"));
        assert!(upsert(Dialect::Sqlite, &plain, 1).ends_with("SET \"x\"=excluded.\"x\""));
        let bare = Table::new("t").key("a", Int);
        assert!(upsert(Dialect::MySql, &bare, 1).ends_with("UPDATE `a`=`a`"));
        assert!(upsert(Dialect::Sqlite, &bare, 1).ends_with("DO NOTHING"));
    }

    #[test]
    fn scans_bind_each_place_once() {
        assert_eq!(
            scan(Dialect::MySql, &table(), true),
            "SELECT `a`,`b`,`v`,`w`,`x` FROM `t` WHERE `a`>=? AND (`a`>? OR (`a`=? AND (`b`>?))) \
             ORDER BY `a`,`b` LIMIT ?"
        );
        assert_eq!(range_bindings(Dialect::MySql, 2), [0, 0, 0, 1]);
        assert_eq!(range_bindings(Dialect::MySql, 1), [0]);
        assert_eq!(range_bindings(Dialect::MySql, 3), [0, 0, 0, 1, 1, 2]);
        assert_eq!(range_bindings(Dialect::Sqlite, 3), [0, 1, 2]);
        for keys in 1..5 {
            let table = (0..keys).fold(Table::new("t"), |table, key| table.key(&format!("k{key}"), Int));
            for dialect in [Dialect::MySql, Dialect::Sqlite] {
                let places = scan(dialect, &table, true).matches('?').count();
                assert_eq!(places, range_bindings(dialect, keys).len() + 1);
            }
        }
        assert_eq!(
            scan(Dialect::Sqlite, &table(), true),
            "SELECT \"a\",\"b\",\"v\",\"w\",\"x\" FROM \"t\" WHERE (\"a\",\"b\")>(?,?) ORDER BY \"a\",\"b\" LIMIT ?"
        );
        assert_eq!(
            find(Dialect::MySql, &table()),
            "SELECT `a`,`b`,`v`,`w`,`x` FROM `t` WHERE `a` = ? AND `b` = ?"
        );
        assert_eq!(
            find_many(Dialect::MySql, &table(), 2),
            "SELECT `a`,`b`,`v`,`w`,`x` FROM `t` FORCE INDEX (PRIMARY) WHERE (`a`,`b`) IN ((?,?),(?,?))"
        );
        assert!(find_many(Dialect::Sqlite, &table(), 2).ends_with("WHERE (\"a\",\"b\") IN (VALUES (?,?),(?,?))"));
        assert_eq!(count(Dialect::Sqlite, &table()), "SELECT COUNT(*) FROM \"t\"");
    }

    #[test]
    fn the_newest_are_read_from_the_index() {
        let table = table().index("t_newest", &["a", "x"], &["v", "b"]);
        let first = Shape { index: 0, only: None, before: false };
        assert_eq!(
            newest(Dialect::Sqlite, &table, Shape { before: true, ..first }),
            "SELECT \"a\",\"b\",\"v\",\"w\",\"x\" FROM \"t\" INDEXED BY \"t_newest\" WHERE \"a\"=? AND \"x\"=? AND \
             (\"v\",\"b\")<(?,?) ORDER BY \"v\" DESC,\"b\" DESC LIMIT ?"
        );
        assert_eq!(
            newest(Dialect::MySql, &table, Shape { only: Some(3), before: true, ..first }),
            "SELECT `a`,`b`,`v`,`w`,`x` FROM `t` FORCE INDEX (`t_newest`) WHERE `a`=? AND `x`=? AND `w`=? AND \
             `v`<=? AND (`v`<? OR (`v`=? AND (`b`<?))) ORDER BY `v` DESC,`b` DESC LIMIT ?"
        );
        assert!(newest(Dialect::MySql, &table, first).contains("WHERE `a`=? AND `x`=? ORDER BY"));
    }

    #[test]
    #[should_panic(expected = "does not order its rows")]
    fn an_index_puts_no_two_rows_in_one_place() {
        let _unplaced = table().index("t_newest", &["a"], &["v"]);
    }
}
