//! The server itself: sockets, connections, TLS, and how long a caller may take over each phase of a request.
//!
//! hyper speaks HTTP/1.1; what surrounds it is here because `axum::serve` gives hyper no timer, so that its header
//! time-out does nothing, and because hyper bounds neither an idle connection nor one that takes no answer. A
//! connection is one task. It knows what it waits for, and until when:
//!
//! | waits for | bound | then |
//! | --- | --- | --- |
//! | the handshake | `tls.handshake_timeout_ms` | cut |
//! | the headers, from their first byte or the start of the connection | `header_timeout_ms` | cut |
//! | the body | `body_timeout_ms`, in [`Shell`](super::Shell) | `408`, then closed |
//! | the answer's making | `request_timeout_ms`, in [`Shell`](super::Shell) | `504` |
//! | the caller to take a byte of the answer | `write_timeout_ms` | cut |
//! | another request | `idle_timeout_ms` | cut |
//! | what a refused caller still sends | `linger_ms` | closed |
//!
//! Above `max_connections`, connections wait in the system's backlog: those ahead of them are cut within the times
//! above, so the wait is short where it can be, and a client's own time-out ends it where it cannot. Headers with too
//! many bytes or lines are answered by hyper, with a bare `431`.

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
