//! The server itself: sockets, connections, TLS, and how long a caller may take over each phase of a request.
//!
//! hyper speaks HTTP/1.1; what surrounds it is here because `axum::serve` gives hyper no timer, so that its header
//! time-out does nothing, and because hyper bounds neither an idle connection nor one that takes no answer. A
//! connection is one task, which knows what it waits for and until when; [`Server`] says what that is.

mod accept;
mod arriving;
mod connection;
mod ended;
mod guarded;
mod leaving;
mod listen;
mod peers;
mod progress;
mod tls;
mod watched;

pub use connection::Remote;
pub use ended::Ended;
pub use listen::Server;
