//! A limit as people and control records write it.

use std::fmt;
use std::str::FromStr;

/// The most that a limit may let pass a second: a microsecond between two calls. An interval is rounded up to whole
/// nanoseconds, so that a limit lets at most 0.1 % less pass than it says, and never more.
const MOST_PER_SECOND: u32 = 1_000_000;
/// The most that a limit may let pass at once.
const MOST_BURST: u32 = 1_000_000_000;

/// So many a second, so many at once.
///
/// ```
/// use squall::guard::Limit;
///
/// let limit: Limit = "1000/s burst 2000".parse()?;
/// assert_eq!((limit.per_second(), limit.burst()), (1000, 2000));
/// assert_eq!("50/s".parse::<Limit>()?.to_string(), "50/s burst 50");
/// assert_eq!(Limit::parse("off")?, None);
/// # Ok::<(), squall::guard::UnknownLimit>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    per_second: u32,
    burst: u32,
}

impl Limit {
    /// The word for no limit.
    pub const OFF: &'static str = "off";

    /// What a limit is written as, for messages.
    pub const FORM: &'static str = "off, or such as 100/s or 100/s burst 200, with 1 to 1000000 a second and a burst of \
                                    1 to 1000000000";

    /// `per_second` on average, and `burst` at once after a time in which fewer came.
    ///
    /// `None` when one of them is 0 or more than a limit can be.
    pub fn new(per_second: u32, burst: u32) -> Option<Self> {
        let valid = (1..=MOST_PER_SECOND).contains(&per_second) && (1..=MOST_BURST).contains(&burst);
        valid.then_some(Self { per_second, burst })
    }

    /// Calls a second.
    pub fn per_second(self) -> u32 {
        self.per_second
    }

    /// Calls at once.
    pub fn burst(self) -> u32 {
        self.burst
    }

    /// Reads a limit, or `off` for none.
    ///
    /// # Errors
    /// [`UnknownLimit`], which says how one is written.
    pub fn parse(text: &str) -> Result<Option<Self>, UnknownLimit> {
        if text.trim() == Self::OFF { Ok(None) } else { text.parse().map(Some) }
    }

    /// The text that [`parse`](Self::parse) reads.
    pub fn show(limit: Option<Self>) -> String {
        limit.map_or_else(|| Self::OFF.to_owned(), |limit| limit.to_string())
    }
}

/// `<n>/s burst <m>`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s burst {}", self.per_second, self.burst)
    }
}

/// A text that is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no limit; it is {form}", form = Limit::FORM)]
pub struct UnknownLimit(String);

impl FromStr for Limit {
    type Err = UnknownLimit;

    /// `<n>/s`, with a second's worth for its burst, or `<n>/s burst <m>`.
    fn from_str(text: &str) -> Result<Self, UnknownLimit> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u32>().ok())?
        };
        let rate = |text: &str| number(text.strip_suffix("/s")?);
        let limit = match words[..] {
            [per_second] => rate(per_second).and_then(|n| Self::new(n, n)),
            [per_second, "burst", burst] => rate(per_second).zip(number(burst)).and_then(|(n, m)| Self::new(n, m)),
            _ => None,
        };
        limit.ok_or_else(|| UnknownLimit(text.to_owned()))
    }
}
