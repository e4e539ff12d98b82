//! The handle of a proxy.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::net::TcpSocket;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::Fault;
use super::acceptor::{Order, accept, bound};
use super::shared::Shared;

/// A proxy on a free loopback port. Dropping it closes the port and every connection.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Gone when the thread is to end.
    orders: Option<UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// A proxy before the server at `upstream`, which need not be there yet. Everything passes until a fault is set.
    ///
    /// # Panics
    /// When the machine gives no loopback port or no thread.
    pub fn start(upstream: SocketAddr) -> Self {
        let proxy = Self::reserve();
        proxy.lead_to(upstream);
        proxy
    }

    /// A proxy before a server whose address is not known yet, because it has to be told the proxy's. Connections are
    /// reset at once until [`lead_to`](Self::lead_to) names it.
    ///
    /// # Panics
    /// When the machine gives no loopback port or no thread.
    pub fn reserve() -> Self {
        Self::try_reserve().unwrap_or_else(|error| panic!("cannot start a fault proxy: {error}"))
    }

    fn try_reserve() -> io::Result<Self> {
        let port = bound(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = port.local_addr()?;
        let shared = Arc::new(Shared::default());
        let (orders, inbox) = unbounded_channel();
        let (started, ready) = mpsc::channel();
        let seen = Arc::clone(&shared);
        let thread = thread::Builder::new().name("fault-proxy".into()).spawn(move || {
            let run = |port: TcpSocket| -> io::Result<()> {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(accept(port, seen, inbox, |result| {
                    // Whoever started it waits for this.
                    let _ = started.send(result);
                }));
                Ok(())
            };
            if let Err(error) = run(port) {
                let _ = started.send(Err(error));
            }
        })?;
        ready.recv().unwrap_or_else(|_| Err(io::Error::other("its thread is gone")))?;
        Ok(Self { address, shared, orders: Some(orders), thread: Some(thread) })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `url` with the proxy's host and port in place of its own: `mysql://root@127.0.0.1:3306/db` keeps scheme, user and
    /// path.
    pub fn reroute(&self, url: &str) -> String {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (format!("{scheme}://"), rest),
            None => (String::new(), url),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let user = authority.rfind('@').map_or("", |at| &authority[..=at]);
        format!("{scheme}{user}{}{path}", self.address)
    }

    /// From now on new connections lead to `upstream`; live ones stay where they are.
    pub fn lead_to(&self, upstream: SocketAddr) {
        self.shared.lead_to(upstream);
    }

    /// Replaces the fault. When it returns, what a client or the server sends is treated by it; after
    /// [`Fault::Cut`] every connection is closed and new ones are refused.
    ///
    /// # Panics
    /// When the port cannot be listened on again after a [`Fault::Cut`].
    pub fn set(&self, fault: Fault) {
        let (done, applied) = mpsc::channel();
        let orders = self.orders.as_ref().expect("taken only by the drop");
        let sent = orders.send(Order { fault, done }).is_ok();
        let applied = if sent { applied.recv().ok() } else { None };
        applied
            .unwrap_or_else(|| Err(io::Error::other("its thread is gone")))
            .unwrap_or_else(|error| panic!("cannot set {fault:?} on the fault proxy: {error}"));
    }

    /// How many connections were accepted since the start.
    pub fn connections(&self) -> u64 {
        self.shared.connections.read()
    }

    /// How many connections are open now.
    pub fn open(&self) -> u64 {
        self.shared.open.read()
    }

    /// How many bytes were passed on since the start, both directions together.
    pub fn bytes(&self) -> u64 {
        self.shared.passed.read()
    }

    /// How many bytes a fault has swallowed since the start, both directions together: of a fault that hit an idle
    /// server it stays 0.
    pub fn swallowed(&self) -> u64 {
        self.shared.swallowed.read()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed; the port and the connections are gone either way.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy")
            .field("address", &self.address)
            .field("upstream", &self.shared.upstream())
            .field("connections", &self.connections())
            .field("open", &self.open())
            .finish_non_exhaustive()
    }
}
