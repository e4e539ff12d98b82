//! What can go wrong with a tuple, and who has to act on it.

use std::error::Error as StdError;
use std::fmt;

/// The result of anything that handles tuples.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who has to act on an error. Every layer decides by this alone, never by the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A layer did not attempt the call (switched off, breaker open). The tuple is intact.
    Refused,
    /// The store or the network is at fault; the same call may succeed later.
    Retryable,
    /// This tuple will never work, however often it is tried.
    Poison,
    /// The process cannot go on: stop, commit nothing past the tuple, exit non-zero.
    Fatal,
}

impl Class {
    /// The word used in logs, metrics and record headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Refused => "refused",
            Class::Retryable => "retryable",
            Class::Poison => "poison",
            Class::Fatal => "fatal",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

type Source = Box<dyn StdError + Send + Sync>;

/// A classed error. One word wide, so `Result<()>` costs nothing on the path that succeeds.
///
/// `?` converts every error that implements [`Classify`]; [`ResultExt`] classes foreign errors where
/// they occur.
///
/// ```
/// use squall::{Class, Error, ResultExt};
///
/// fn parse(text: &str) -> squall::Result<u32> {
///     text.parse::<u32>().poison()
/// }
/// assert_eq!(parse("x").unwrap_err().class(), Class::Poison);
/// assert_eq!(Error::retryable("connection reset").to_string(), "connection reset");
/// ```
pub struct Error(Box<(Class, Source)>);

impl Error {
    /// An error of `class` with `source` as its cause.
    pub fn new(class: Class, source: impl Into<Source>) -> Self {
        Self(Box::new((class, source.into())))
    }

    /// The same call may succeed later.
    pub fn retryable(source: impl Into<Source>) -> Self {
        Self::new(Class::Retryable, source)
    }

    /// The tuple will never work.
    pub fn poison(source: impl Into<Source>) -> Self {
        Self::new(Class::Poison, source)
    }

    /// The process must stop.
    pub fn fatal(source: impl Into<Source>) -> Self {
        Self::new(Class::Fatal, source)
    }

    /// Who has to act on it.
    pub fn class(&self) -> Class {
        self.0.0
    }

    /// The cause, for `downcast_ref` and error reporters.
    pub fn source(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0.1
    }

    /// The whole chain of causes on one line, outermost first. A cause whose text its parent already
    /// ends with is not repeated.
    pub fn chain(&self) -> String {
        let mut text = self.0.1.to_string();
        let mut next = self.0.1.source();
        while let Some(cause) = next {
            let part = cause.to_string();
            if !text.ends_with(&part) {
                text.push_str(": ");
                text.push_str(&part);
            }
            next = cause.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class(), self.chain())
    }
}

/// Implemented by a connector's error enum, so that `?` classes it.
///
/// The match over the variants must be exhaustive: a new variant has to be classed to compile.
pub trait Classify: StdError + Send + Sync + 'static {
    /// Who has to act on this error.
    fn class(&self) -> Class;
}

impl<E: Classify> From<E> for Error {
    fn from(error: E) -> Self {
        Self::new(error.class(), error)
    }
}

/// Classes the error of any `Result` at the call site.
pub trait ResultExt<T>: Sized {
    /// Wraps the error with `class`.
    fn class(self, class: Class) -> Result<T>;

    /// The tuple at hand will never work.
    fn poison(self) -> Result<T> {
        self.class(Class::Poison)
    }

    /// The same call may succeed later.
    fn retryable(self) -> Result<T> {
        self.class(Class::Retryable)
    }

    /// The process must stop.
    fn fatal(self) -> Result<T> {
        self.class(Class::Fatal)
    }
}

impl<T, E: Into<Source>> ResultExt<T> for std::result::Result<T, E> {
    fn class(self, class: Class) -> Result<T> {
        self.map_err(|error| Error::new(class, error))
    }
}

/// Ends a batch early: `rows[..at]` were handled, `rows[at]` failed with `error`, and nothing was
/// emitted for `rows[at..]`.
///
/// `?` on an [`Error`] halts at row 0: right for a call that did all of the batch or none of it.
#[derive(Debug)]
pub struct Halt {
    /// Index of the row that failed.
    pub at: usize,
    /// Why it failed.
    pub error: Error,
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self { at: 0, error }
    }
}
