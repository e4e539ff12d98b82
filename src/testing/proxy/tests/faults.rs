//! Each fault.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::super::{Fault, FaultProxy};
use super::{DEADLINE, WHILE, ask, client, closed, echo, silent, until};

#[test]
fn passes_everything_and_counts_it() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    let mut first = client(&proxy);
    ask(&mut first, b"one");
    let mut second = client(&proxy);
    let much: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut reader = second.try_clone().unwrap();
    let sent = much.clone();
    let writer = thread::spawn(move || {
        second.write_all(&sent).unwrap();
        second.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    reader.read_to_end(&mut back).unwrap();
    writer.join().unwrap();
    assert!(back == much, "all of it in order, and then its end");
    assert_eq!((proxy.connections(), proxy.swallowed()), (2, 0));
    assert_eq!(proxy.bytes(), 2 * (3 + 3_000_000));
    until("an ended connection is gone", || proxy.open() == 1);
    ask(&mut first, b"still");
}

#[test]
fn cut_resets_what_lives_and_refuses_what_comes_until_it_is_healed() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    for _ in 0..3 {
        let mut live = client(&proxy);
        ask(&mut live, b"before");
        proxy.set(Fault::Cut);
        assert_eq!(proxy.open(), 0);
        closed(&mut live);
        let refused = TcpStream::connect(proxy.address()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        until("the server sees it", || server.open.load(Ordering::SeqCst) == 0);
        proxy.set(Fault::None);
        ask(&mut client(&proxy), b"after");
    }
    proxy.set(Fault::Cut);
    proxy.set(Fault::Cut);
    assert_eq!(proxy.connections(), 6);
}

#[test]
fn a_black_hole_answers_nobody_and_lets_nothing_through() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    let (mut asking, mut idle) = (client(&proxy), client(&proxy));
    ask(&mut asking, b"before");
    ask(&mut idle, b"idle");
    let heard = server.heard.load(Ordering::SeqCst);
    proxy.set(Fault::BlackHole);
    let (mut new, mut waiting) = (client(&proxy), client(&proxy));
    for client in [&mut asking, &mut new] {
        client.write_all(b"lost").unwrap();
        silent(client);
    }
    until("both were swallowed", || proxy.swallowed() == 8);
    assert_eq!(server.heard.load(Ordering::SeqCst), heard);
    assert_eq!(server.open.load(Ordering::SeqCst), 2, "it does not see new connections");

    proxy.set(Fault::None);
    closed(&mut asking);
    closed(&mut new);
    ask(&mut idle, b"what lost nothing goes on");
    ask(&mut waiting, b"and what was accepted meanwhile");
    ask(&mut client(&proxy), b"healed");
}

#[test]
fn a_black_hole_swallows_the_end_of_a_connection() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    let mut gone = client(&proxy);
    ask(&mut gone, b"before");
    proxy.set(Fault::BlackHole);
    drop(gone);
    thread::sleep(WHILE);
    assert_eq!((proxy.open(), server.open.load(Ordering::SeqCst)), (1, 1), "the server waits on");
    proxy.set(Fault::None);
    until("it sees the end", || server.open.load(Ordering::SeqCst) == 0);
}

#[test]
fn dropped_replies_were_requests_that_arrived() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    let mut live = client(&proxy);
    proxy.set(Fault::DropReplies);
    let mut new = client(&proxy);
    for client in [&mut live, &mut new] {
        client.write_all(b"done").unwrap();
        silent(client);
    }
    until("the server got both", || server.heard.load(Ordering::SeqCst) == 8);
    until("and answered", || (proxy.bytes(), proxy.swallowed()) == (8, 8));
    proxy.set(Fault::None);
    closed(&mut live);
    closed(&mut new);
}

#[test]
fn dropped_requests_never_arrive() {
    // A server that speaks first.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap());
    proxy.set(Fault::DropRequests);
    let mut client = client(&proxy);
    let (mut peer, _) = listener.accept().unwrap();
    client.write_all(b"lost").unwrap();
    until("it was swallowed", || proxy.swallowed() == 4);
    peer.write_all(b"hello").unwrap();
    let mut heard = [0; 5];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
    silent(&mut peer);
    proxy.set(Fault::None);
    closed(&mut peer);
    closed(&mut client);
}

#[test]
fn a_delay_holds_back_each_direction_and_keeps_the_order() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    let mut client = client(&proxy);
    let (requests, replies) = (Duration::from_millis(30), Duration::from_millis(20));
    proxy.set(Fault::Delay { requests, replies });
    let began = Instant::now();
    ask(&mut client, b"late");
    assert!(began.elapsed() >= requests + replies, "never earlier: {:?}", began.elapsed());
    let much: Vec<u8> = (0..200_000_u32).map(|n| (n % 241) as u8).collect();
    ask(&mut client, &much);

    // What is under way follows the next fault.
    proxy.set(Fault::Delay { requests: DEADLINE * 100, replies: Duration::ZERO });
    client.write_all(b"soon").unwrap();
    silent(&mut client);
    proxy.set(Fault::None);
    let mut reply = [0; 4];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"soon");
}

#[test]
fn a_throttle_passes_so_much_and_no_more() {
    let server = echo();
    let proxy = FaultProxy::start(server.address);
    let mut client = client(&proxy);
    proxy.set(Fault::Throttle { bytes_per_second: 100_000 });
    let began = Instant::now();
    ask(&mut client, &[7; 20_000]);
    assert!(began.elapsed() >= Duration::from_millis(200), "never faster: {:?}", began.elapsed());

    proxy.set(Fault::Throttle { bytes_per_second: 0 });
    client.write_all(&[8; 4000]).unwrap();
    silent(&mut client);
    proxy.set(Fault::None);
    let mut reply = [0; 4000];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(reply, [8; 4000]);
}
