//! The thread that serves.

use std::io::Write;
use std::os::unix::net::UnixListener as StdListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};

use super::super::socket;
use super::super::wire::Greeting;
use super::session::Session;
use crate::broker::BrokerError;
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::embedded::failure::io_error;

/// Pause after a connection could not be taken: the process is short of something.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Serves the log until it is dropped; then every connection has ended and let go of the log.
pub(in super::super::super) struct Server {
    socket: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `log`, which must not itself hold this server.
    pub(in super::super::super) fn start(log: EmbeddedBroker) -> Result<Self, BrokerError> {
        let dir = log.core.shared.store.dir.clone();
        let socket = socket::path(&dir);
        let failed = |error| match io_error("share the log in", error, &dir) {
            BrokerError::Io { source, .. } => {
                let remedy = "set broker.embedded.share = false to open it for this process alone";
                let context = format!("cannot share the log at {}: {source}; {remedy}", socket.display());
                BrokerError::Io { context, source }
            }
            full => full,
        };
        let listener = socket::listen(&socket).map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let (ready, began) = channel();
        let thread = std::thread::Builder::new()
            .name("log-socket".into())
            .spawn(move || run(listener, log, stopped, &ready))
            .map_err(failed)?;
        let server = Self { socket: socket.clone(), stop: Some(stop), thread: Some(thread) };
        // A thread that ends without a word panicked, which the panic hook reports.
        let began = began.recv().unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()));
        began.map_err(failed).map(|()| server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        // One that stays is taken for stale by the next process.
        let _stays = std::fs::remove_file(&self.socket);
        if let Some(thread) = self.thread.take() {
            // A panic in it has been reported by the panic hook.
            let _panicked = thread.join();
        }
    }
}

fn run(
    listener: StdListener,
    log: EmbeddedBroker,
    stopped: oneshot::Receiver<()>,
    ready: &Sender<std::io::Result<()>>,
) {
    // Nobody listens any more when the process is already closing the log.
    let say = |began| drop(ready.send(began));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => return say(Err(error)),
    };
    runtime.block_on(async move {
        let listener = match UnixListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return say(Err(error)),
        };
        say(Ok(()));
        tokio::select! {
            _ = stopped => {}
            () = accept(&listener, &log) => {}
        }
    });
    // The sessions are tasks of the runtime, and end with it.
}

async fn accept(listener: &UnixListener, log: &EmbeddedBroker) {
    let most = log.settings().share_connections;
    let room = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection to the log was not taken");
                tokio::time::sleep(BACK_OFF).await;
                continue;
            }
        };
        if !socket::is_same_user(&stream) {
            refuse(stream, "the log belongs to another user");
            continue;
        }
        match room.clone().try_acquire_owned() {
            Ok(room) => {
                tokio::spawn(Session::new(stream, log.clone(), room).serve());
            }
            Err(_) => refuse(stream, &taken(most)),
        }
    }
}

fn taken(most: usize) -> String {
    format!("all {most} connections are taken; try again, or raise broker.embedded.share_connections")
}

/// Says why, as far as the socket takes it at once.
fn refuse(stream: UnixStream, reason: &str) {
    let mut greeting = vec![0; 4];
    Greeting::Refused(reason.to_owned()).put(&mut greeting);
    let length = (greeting.len() - 4) as u32;
    greeting[..4].copy_from_slice(&length.to_le_bytes());
    // The client may have gone already.
    let _gone = stream.into_std().and_then(|mut stream| stream.write_all(&greeting));
    tracing::debug!(reason, "a connection to the log was refused");
}
