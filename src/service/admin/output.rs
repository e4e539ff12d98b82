//! What is printed.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

/// How much a cell wants to be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Head,
    /// Not as usual.
    Notable,
    /// Not as it should be.
    Bad,
}

/// A text in a tone.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }

    /// The text, coloured if wanted.
    pub(super) fn show(&self, colours: bool) -> String {
        let code = match self.tone {
            Tone::Head => "1",
            Tone::Notable => "33",
            Tone::Bad => "31",
            Tone::Plain => return self.text.clone(),
        };
        if colours { format!("\x1b[{code}m{}\x1b[0m", self.text) } else { self.text.clone() }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// Rows under a head; columns as wide as their widest cell.
pub(super) struct Table<const N: usize> {
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(head: [&str; N]) -> Self {
        Self { rows: vec![head.map(|name| Cell::new(name, Tone::Head))] }
    }

    pub(super) fn row(&mut self, cells: [Cell; N]) {
        self.rows.push(cells);
    }

    pub(super) fn show(&self, colours: bool) -> String {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.text.chars().count().max(*width);
            }
        }
        let mut shown = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(row) {
                let padding = width - cell.text.chars().count() + 2;
                // Writing to a string cannot fail.
                let _infallible = write!(line, "{}{:padding$}", cell.show(colours), "");
            }
            shown.push_str(line.trim_end());
            shown.push('\n');
        }
        shown
    }
}

/// Whether what is printed may be coloured.
pub(super) fn colours() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints on standard output. A reader that has gone (`| head`) has seen enough.
pub(super) fn say(text: &str) {
    let _gone = writeln!(std::io::stdout(), "{}", text.trim_end());
}
