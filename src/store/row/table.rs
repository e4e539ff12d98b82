//! What a table is declared as, and the cells that go into it.

/// What a column holds, with the bound that the store enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text of at most this many bytes, compared as bytes.
    Text(u32),
    /// Bytes, at most this many.
    Bytes(u32),
    /// A signed 64-bit integer.
    Int,
}

/// A declared column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name, `[a-z][a-z0-9_]*`.
    pub name: String,
    /// What it holds.
    pub kind: ColumnType,
}

/// A declared index for reading newest rows: rows that agree in some columns, ordered by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    name: String,
    equal: Vec<usize>,
    order: Vec<usize>,
}

impl Index {
    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Positions, among the columns of the table, of those in which the rows of a read agree.
    pub fn equal(&self) -> &[usize] {
        &self.equal
    }

    /// Positions of the columns that order them, the most significant first.
    pub fn order(&self) -> &[usize] {
        &self.order
    }
}

/// A table with key, version and value columns, in this order.
///
/// ```
/// use squall::store::row::{ColumnType::*, Table};
///
/// let table = Table::new("behaviour")
///     .key("user_id", Text(64))
///     .key("event_id", Text(64))
///     .version("occurred_at", Int)
///     .value("body", Bytes(4096));
/// assert_eq!(table.width(), 4);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    name: String,
    columns: Vec<Column>,
    keys: usize,
    versions: usize,
    indexes: Vec<Index>,
}

impl Table {
    /// A table without columns.
    ///
    /// # Panics
    /// Names must match `[a-z][a-z0-9_]*`: they are written into SQL.
    pub fn new(name: &str) -> Self {
        assert!(is_identifier(name), "table name `{name}` must match [a-z][a-z0-9_]*");
        Self { name: name.to_owned(), columns: Vec::new(), keys: 0, versions: 0, indexes: Vec::new() }
    }

    /// Adds a key column. Keys come first.
    #[must_use]
    pub fn key(mut self, name: &str, kind: ColumnType) -> Self {
        assert_eq!(self.columns.len(), self.keys, "key columns come before all others");
        self.keys += 1;
        self.push(name, kind)
    }

    /// Adds a version column. Versions come after the keys, the most significant first.
    #[must_use]
    pub fn version(mut self, name: &str, kind: ColumnType) -> Self {
        assert_eq!(self.columns.len(), self.keys + self.versions, "version columns come before values");
        self.versions += 1;
        self.push(name, kind)
    }

    /// Adds a value column.
    #[must_use]
    pub fn value(self, name: &str, kind: ColumnType) -> Self {
        self.push(name, kind)
    }

    fn push(mut self, name: &str, kind: ColumnType) -> Self {
        assert!(is_identifier(name), "column name `{name}` must match [a-z][a-z0-9_]*");
        self.columns.push(Column { name: name.to_owned(), kind });
        self
    }

    /// Declares that the migrations create the index `name` over the columns `equal` and then `order`, for
    /// [`Rows::newest`](super::Rows::newest). Comes after all columns.
    ///
    /// # Panics
    /// Columns are declared ones, `order` is of keys and versions, which are never null, and all keys are among both:
    /// otherwise two rows could stand at one place.
    #[must_use]
    pub fn index(mut self, name: &str, equal: &[&str], order: &[&str]) -> Self {
        assert!(is_identifier(name), "index name `{name}` must match [a-z][a-z0-9_]*");
        let find = |column: &&str| {
            let at = self.columns.iter().position(|known| known.name == *column);
            at.unwrap_or_else(|| panic!("index `{name}` names `{column}`, which is no column"))
        };
        let (equal, order): (Vec<usize>, Vec<usize>) =
            (equal.iter().map(find).collect(), order.iter().map(find).collect());
        let placed = (0..self.keys).all(|key| equal.contains(&key) || order.contains(&key));
        let mandatory = self.keys + self.versions;
        assert!(placed && order.iter().all(|at| *at < mandatory), "index `{name}` does not order its rows");
        assert!(!equal.is_empty() && !order.is_empty(), "index `{name}` has nothing to find, or to order");
        self.indexes.push(Index { name: name.to_owned(), equal, order });
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The declared indexes.
    pub fn indexes(&self) -> &[Index] {
        &self.indexes
    }

    /// All columns: keys, versions, values.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The key columns.
    pub fn keys(&self) -> &[Column] {
        &self.columns[..self.keys]
    }

    /// The version columns.
    pub fn versions(&self) -> &[Column] {
        &self.columns[self.keys..self.keys + self.versions]
    }

    /// The value columns.
    pub fn values(&self) -> &[Column] {
        &self.columns[self.keys + self.versions..]
    }

    /// Cells in a row.
    pub fn width(&self) -> usize {
        self.columns.len()
    }
}

fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// One value of a row, borrowed from the tuple. Orders as the store compares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell<'a> {
    /// No value; not allowed in key and version columns.
    Null,
    /// For [`ColumnType::Int`].
    Int(i64),
    /// For [`ColumnType::Text`].
    Text(&'a str),
    /// For [`ColumnType::Bytes`].
    Bytes(&'a [u8]),
}

/// One value of a row as it is read back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// No value.
    Null,
    /// Of a [`ColumnType::Int`].
    Int(i64),
    /// Of a [`ColumnType::Text`].
    Text(String),
    /// Of a [`ColumnType::Bytes`].
    Bytes(Vec<u8>),
}

impl Value {
    /// The same value, borrowed.
    pub fn as_cell(&self) -> Cell<'_> {
        match self {
            Value::Null => Cell::Null,
            Value::Int(n) => Cell::Int(*n),
            Value::Text(s) => Cell::Text(s),
            Value::Bytes(b) => Cell::Bytes(b),
        }
    }
}
