//! Against a server that sends back what it gets.

mod faults;
mod handle;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::FaultProxy;

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long it watches for what must not.
const WHILE: Duration = Duration::from_millis(100);

struct Echo {
    address: SocketAddr,
    heard: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

fn echo() -> Echo {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let echo = Echo { address, heard: Arc::clone(&heard), open: Arc::clone(&open) };
    thread::spawn(move || {
        for peer in listener.incoming() {
            let (heard, open) = (Arc::clone(&heard), Arc::clone(&open));
            open.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || {
                answer(peer.unwrap(), &heard);
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    echo
}

/// Until the client ends or is gone.
fn answer(mut peer: TcpStream, heard: &AtomicUsize) {
    let mut buffer = [0; 8192];
    while let Ok(read @ 1..) = peer.read(&mut buffer) {
        heard.fetch_add(read, Ordering::SeqCst);
        if peer.write_all(&buffer[..read]).is_err() {
            return;
        }
    }
}

fn client(proxy: &FaultProxy) -> TcpStream {
    let client = TcpStream::connect(proxy.address()).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client
}

fn ask(client: &mut TcpStream, text: &[u8]) {
    client.write_all(text).unwrap();
    let mut reply = vec![0; text.len()];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(reply, text);
}

fn silent(client: &mut TcpStream) {
    client.set_read_timeout(Some(WHILE)).unwrap();
    let error = client.read(&mut [0; 1]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    client.set_read_timeout(Some(DEADLINE)).unwrap();
}

fn closed(client: &mut TcpStream) {
    match client.read(&mut [0; 1]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("the connection must end: {other:?}"),
    }
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}
