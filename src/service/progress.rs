//! Progress of long work, on standard error, and only when that is a terminal.

pub use indicatif::ProgressBar;
use indicatif::ProgressStyle;

/// A bar over bytes.
pub fn progress_bytes(total: u64, what: &'static str) -> ProgressBar {
    bar(total, "{msg} [{bar:30}] {bytes} of {total_bytes}, {eta} left", what)
}

/// A bar over records.
pub fn progress_count(total: u64, what: &'static str) -> ProgressBar {
    bar(total, "{msg} [{bar:30}] {pos} of {len}, {per_sec}, {eta} left", what)
}

fn bar(total: u64, template: &str, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style).with_message(what)
}
