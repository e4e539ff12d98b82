//! What requests are counted by.

use crate::guard::Exceeded;
use crate::service::http::{Code, Problem};

/// What requests are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// The app whose key they have.
    App,
    /// Where they come from.
    Ip,
    /// The interface that they are for.
    Route,
    /// Nothing: all count.
    Service,
}

impl Dimension {
    /// All, in the order in which they are asked.
    pub const ALL: [Self; 4] = [Self::App, Self::Ip, Self::Route, Self::Service];

    /// Its word in names of limits and in problems.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Ip => "ip",
            Self::Route => "route",
            Self::Service => "service",
        }
    }

    fn of_whom(self) -> &'static str {
        match self {
            Self::App => "of this app",
            Self::Ip => "from this address",
            Self::Route => "for this interface",
            Self::Service => "for this service",
        }
    }
}

/// A limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Which one.
    pub dimension: Dimension,
    /// By how much, and until when.
    pub exceeded: Exceeded,
}

impl From<Reached> for Problem {
    fn from(Reached { dimension, exceeded: Exceeded { limit, wait } }: Reached) -> Self {
        let detail = format!(
            "at most {} requests a second {} are taken, and {} at once",
            limit.per_second(),
            dimension.of_whom(),
            limit.burst()
        );
        Self::new(Code::RateLimited, detail)
            .with("limit", dimension.as_str())
            .with("per_second", limit.per_second())
            .retry_after(wait)
    }
}
