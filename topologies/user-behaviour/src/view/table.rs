//! Columns that line up.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

/// How wide a cell may be before it is cut.
const MAX_WIDTH: usize = 60;

/// Rows of texts under a head.
pub(super) struct TextTable {
    rows: Vec<Vec<String>>,
}

impl TextTable {
    pub(super) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|name| (*name).to_owned()).collect()] }
    }

    /// Adds a row of as many cells as the head has.
    pub(super) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.into_iter().map(|cell| fit(&printable(cell))).collect());
    }

    /// The rows, each with a line end; columns two spaces apart, no spaces at the end of a line.
    pub(super) fn render(&self) -> String {
        let columns = self.rows[0].len();
        let width = |at: usize| self.rows.iter().map(|row| row[at].width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width - cell.width() + 2));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// `text` without anything that moves the cursor or turns the direction of writing.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            write!(out, "\\u{{{:x}}}", u32::from(c)).expect("a String takes everything");
        } else {
            out.push(c);
        }
    }
    out
}

/// `text`, or as much of it as fits with an ellipsis.
fn fit(text: &str) -> String {
    if text.width() <= MAX_WIDTH {
        return text.to_owned();
    }
    let fits = |end: &usize| text[..*end].width() < MAX_WIDTH;
    let ends = text.char_indices().map(|(at, _)| at);
    let end = ends.take_while(fits).last().unwrap_or(0);
    format!("{}…", &text[..end])
}
