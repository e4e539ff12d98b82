//! One connection of a client, and the one to the server that belongs to it.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::watch::Receiver;

use super::Fault;
use super::fault::Direction;
use super::pump::Pump;
use super::shared::Shared;

/// Carries a connection until both sides have ended it, or a fault or a failure resets it.
pub(super) async fn carry(client: TcpStream, shared: Arc<Shared>, mut faults: Receiver<Fault>) {
    let _open = shared.open.hold();
    let Some(server) = reach(&client, &shared, &mut faults).await else {
        return reset(&client);
    };
    // Without it a proxy is slower than the line that it stands for; where it cannot be set, it just is.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let requests = Pump::new(from_client, to_server, Direction::Requests, &shared, faults.clone());
    let replies = Pump::new(from_server, to_client, Direction::Replies, &shared, faults);
    // A side that has ended still reads what the other has to say.
    let _ended_or_reset = tokio::try_join!(requests.run(), replies.run());
}

/// The connection to the server, once a fault allows it; `None` when the client's is to be reset.
async fn reach(client: &TcpStream, shared: &Shared, faults: &mut Receiver<Fault>) -> Option<TcpStream> {
    let mut lost = false;
    loop {
        let fault = *faults.borrow_and_update();
        match fault {
            Fault::Cut => return None,
            Fault::BlackHole => tokio::select! {
                biased;
                changed = faults.changed() => changed.ok()?,
                swallowed = swallow(client) => {
                    shared.swallowed.add(swallowed?);
                    lost = true;
                }
            },
            _ if lost => return None,
            _ => tokio::select! {
                biased;
                changed = faults.changed() => changed.ok()?,
                server = TcpStream::connect(shared.upstream()?) => return server.ok(),
            },
        }
    }
}

/// Reads what the client says; `None` when it has gone.
async fn swallow(client: &TcpStream) -> Option<usize> {
    loop {
        client.readable().await.ok()?;
        match client.try_read(&mut [0; 4096]) {
            Ok(0) => return None,
            Ok(read) => return Some(read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}

/// Lets the drop of the connection reset it, so that the other side does not take it for an orderly end.
pub(super) fn reset(stream: &TcpStream) {
    // One that is broken already needs none.
    let _ = stream.set_zero_linger();
}
