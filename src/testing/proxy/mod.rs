//! A TCP proxy that a test puts before a server, to make the network fail.
//!
//! It has a port and a thread of its own, so it goes on while the runtime of a test is busy or paused, and serves
//! blocking tests as well. A fault takes effect on live and new connections before [`FaultProxy::set`] returns; time is
//! real time.
//!
//! | fault | the client sees | the server sees |
//! | --- | --- | --- |
//! | [`Delay`](Fault::Delay) | every reply late | every request late |
//! | [`Throttle`](Fault::Throttle) | a slow link | a slow link |
//! | [`Cut`](Fault::Cut) | connections reset, new ones refused | connections reset |
//! | [`BlackHole`](Fault::BlackHole) | connections that never answer | silence |
//! | [`DropReplies`](Fault::DropReplies) | no answer to what was done | nothing unusual |
//! | [`DropRequests`](Fault::DropRequests) | no answer | silence |
//!
//! A connection from which a fault swallowed something is reset when the fault ends: nobody ever reads a stream with a
//! hole in it. One that was idle goes on.
//!
//! Redis and MariaDB are reached through the proxy's address in place of their own. Kafka's clients go where the broker
//! tells them to, so it must name the proxy: see [`Kafka::start_behind_proxy`](super::servers::Kafka::start_behind_proxy).
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use squall::testing::{Fault, FaultProxy};
//!
//! # fn main() -> std::io::Result<()> {
//! let server = TcpListener::bind("127.0.0.1:0")?;
//! let proxy = FaultProxy::start(server.local_addr()?);
//! let mut client = TcpStream::connect(proxy.address())?;
//! let (mut peer, _) = server.accept()?;
//!
//! client.write_all(b"ping")?;
//! let mut request = [0; 4];
//! peer.read_exact(&mut request)?;
//! assert_eq!((&request, proxy.bytes()), (b"ping", 4));
//!
//! proxy.set(Fault::Cut);
//! assert!(!matches!(client.read(&mut request), Ok(1..)));
//! assert!(TcpStream::connect(proxy.address()).is_err());
//! # Ok(())
//! # }
//! ```

mod acceptor;
mod connection;
mod fault;
mod pump;
mod shared;
mod start;
#[cfg(test)]
mod tests;

pub use fault::Fault;
pub use start::FaultProxy;
