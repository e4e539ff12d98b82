//! What a proxy does to traffic.

use std::time::Duration;

/// What a [`FaultProxy`](super::FaultProxy) does to the traffic that goes through it. *Requests* go from the client to
/// the server, *replies* the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Everything passes.
    #[default]
    None,
    /// Everything arrives later by this much, as over a longer line. At most 1 MiB a direction is under way; a sender
    /// that is ahead by more has to wait.
    Delay {
        /// From the client to the server.
        requests: Duration,
        /// From the server to the client.
        replies: Duration,
    },
    /// All connections are reset, new ones refused.
    Cut,
    /// Connections are accepted, and nothing gets through in either direction, the end of a connection included.
    BlackHole,
    /// Requests reach the server, its replies reach nobody.
    DropReplies,
    /// Requests reach nobody; what the server still says arrives.
    DropRequests,
    /// Each connection carries this many bytes a second in each direction, at least one.
    Throttle {
        /// Bytes a second.
        bytes_per_second: u64,
    },
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Requests,
    Replies,
}

/// A fault, as one direction of a connection is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    Pass { delay: Duration, bytes_per_second: Option<u64> },
    Swallow,
    Reset,
}

impl Fault {
    pub(super) fn treatment(self, direction: Direction) -> Treatment {
        let pass = |delay, bytes_per_second| Treatment::Pass { delay, bytes_per_second };
        match (self, direction) {
            (Self::None, _) => pass(Duration::ZERO, None),
            (Self::Delay { requests, .. }, Direction::Requests) => pass(requests, None),
            (Self::Delay { replies, .. }, Direction::Replies) => pass(replies, None),
            (Self::Throttle { bytes_per_second }, _) => pass(Duration::ZERO, Some(bytes_per_second.max(1))),
            (Self::DropReplies, Direction::Replies)
            | (Self::DropRequests, Direction::Requests)
            | (Self::BlackHole, _) => Treatment::Swallow,
            (Self::DropReplies, Direction::Requests) | (Self::DropRequests, Direction::Replies) => {
                pass(Duration::ZERO, None)
            }
            (Self::Cut, _) => Treatment::Reset,
        }
    }
}
