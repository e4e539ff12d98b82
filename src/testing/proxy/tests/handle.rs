//! The proxy itself.

use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::{Fault, FaultProxy};
use super::{ask, client, closed, echo, until};

#[test]
fn a_server_that_is_away_resets_its_clients_and_may_move() {
    let server = echo();
    let proxy = FaultProxy::reserve();
    closed(&mut client(&proxy));
    proxy.lead_to(server.address);
    let mut first = client(&proxy);
    ask(&mut first, b"here");
    let other = echo();
    proxy.lead_to(other.address);
    ask(&mut first, b"stays");
    ask(&mut client(&proxy), b"elsewhere");
    assert_eq!(other.heard.load(Ordering::SeqCst), 9);
    assert_eq!(server.heard.load(Ordering::SeqCst), 9);
}

#[test]
fn a_drop_closes_everything() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    let address = proxy.address();
    let mut live = client(&proxy);
    ask(&mut live, b"before");
    drop(proxy);
    closed(&mut live);
    assert!(TcpStream::connect(address).is_err());
    until("the server sees it", || server.open.load(Ordering::SeqCst) == 0);
}

#[tokio::test(start_paused = true)]
async fn its_time_is_real_while_that_of_the_test_is_paused() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    proxy.set(Fault::Delay { requests: Duration::from_millis(5), replies: Duration::ZERO });
    // Blocks the only thread of the test's runtime.
    ask(&mut client(&proxy), b"late");
}

#[test]
fn an_address_replaces_that_of_a_url() {
    let proxy = FaultProxy::reserve();
    let at = proxy.address();
    for (url, rerouted) in [
        ("127.0.0.1:9092", format!("{at}")),
        ("redis://127.0.0.1:6379", format!("redis://{at}")),
        ("redis://user:p%40ss@host/2", format!("redis://user:p%40ss@{at}/2")),
        ("mysql://root@127.0.0.1:3306/db?a=b@c", format!("mysql://root@{at}/db?a=b@c")),
    ] {
        assert_eq!(proxy.reroute(url), rerouted);
    }
}
