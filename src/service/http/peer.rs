//! Who is at the other end.

use std::net::IpAddr;

/// The address that a request counts for: that of the connection, or the one that a listed proxy vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(pub IpAddr);
