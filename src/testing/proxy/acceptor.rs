//! The port of a proxy.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Fault;
use super::connection::carry;
use super::shared::Shared;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// Pause after a connection could not be accepted, as when this process has too many files open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A fault to apply, and whom to tell.
pub(super) struct Order {
    pub(super) fault: Fault,
    pub(super) done: Sender<io::Result<()>>,
}

/// A socket that has the port without listening. While it is held nobody else is given the port, and connections to it
/// are refused unless another socket of the same port listens.
pub(super) fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves `port` until the sender of `orders` is gone. `started` hears whether it listens.
pub(super) async fn accept(
    port: TcpSocket,
    shared: Arc<Shared>,
    mut orders: UnboundedReceiver<Order>,
    started: impl FnOnce(io::Result<()>),
) {
    let mut listener = match listen(&port) {
        Ok(listener) => Some(listener),
        Err(error) => return started(Err(error)),
    };
    started(Ok(()));
    let faults = watch::Sender::new(Fault::None);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => {
                let Some(Order { fault, done }) = order else { return };
                faults.send_replace(fault);
                let applied = apply(fault, &port, &mut listener, &mut connections).await;
                // Whoever set it waits, unless it was killed by a panic of its own.
                let _ = done.send(applied);
            }
            Some(_ended) = connections.join_next() => {}
            client = next(listener.as_ref()) => {
                shared.connections.add(1);
                connections.spawn(carry(client, Arc::clone(&shared), faults.subscribe()));
            }
        }
    }
}

async fn apply(
    fault: Fault,
    port: &TcpSocket,
    listener: &mut Option<TcpListener>,
    connections: &mut JoinSet<()>,
) -> io::Result<()> {
    if fault == Fault::Cut {
        *listener = None;
        while connections.join_next().await.is_some() {}
    } else if listener.is_none() {
        *listener = Some(listen(port)?);
    }
    Ok(())
}

fn listen(port: &TcpSocket) -> io::Result<TcpListener> {
    bound(port.local_addr()?)?.listen(BACKLOG)
}

async fn next(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok((client, _)) => return client,
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}
